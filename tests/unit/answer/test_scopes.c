// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scope of an answer is true: any other client in it gets the same set of records and the same
// scope. Random policies over random networks, ALIAS, CNAME, hints and additional records behind
// them; random clients near the edges. SIGNPOST_PAIRS asks more.
#include "ask.h"

#include "../../fuzz/publish.h"

enum { NAMES = 24 };

static uint64_t dice;
static const uint8_t apex[] = "\7example\3com";

// A network of one of eight lengths that nests in others: few of its bits are random. Step 0 is the
// narrowest.
static void put_network(char *text, size_t size, bool ipv6, unsigned step)
{
    static const unsigned lengths_ipv4[] = {26, 24, 23, 22, 20, 16, 12, 8};
    static const unsigned lengths_ipv6[] = {64, 60, 56, 52, 48, 40, 36, 32};
    unsigned length = (ipv6 ? lengths_ipv6 : lengths_ipv4)[step];
    struct prefix prefix = {.length = (uint8_t)length};
    prefix.address.family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
    uint8_t *bytes = prefix.address.bytes;
    bytes[0] = ipv6 ? 0x20 : (uint8_t)(100 + random_below(&dice, 3));
    bytes[1] = ipv6 ? 0x01 : (uint8_t)(random_below(&dice, 4) << 4);
    for (unsigned at = ipv6 ? 3 : 2; at < (ipv6 ? 8U : 4U); at++) {
        bytes[at] = (uint8_t)(random_below(&dice, 2) << random_below(&dice, 8));
    }
    address_mask(&prefix.address, length);
    char number[PREFIX_TEXT_MAX];
    snprintf(text, size, "'%s'", prefix_format(&prefix, number));
}

// Rules and their pools; the last is everybody's. Their members overlap.
static void put_rules(char *rules, char *pools, size_t size)
{
    size_t rules_used = 0, pools_used = 0;
    unsigned count = 1 + random_below(&dice, 4);
    for (unsigned i = 0; i < count; i++) {
        char network[64], other[64]; // the narrower first
        put_network(network, sizeof(network), false, 2 * i + random_below(&dice, 2));
        put_network(other, sizeof(other), true, 2 * i + random_below(&dice, 2));
        rules_used += (size_t)snprintf(rules + rules_used, size - rules_used,
                                       "{subnets: [%s, %s], pool: p%u}, ", network, other, i);
        pools_used +=
            (size_t)snprintf(pools + pools_used, size - pools_used,
                             "p%u: {values: [{value: 192.0.2.%u}, {value: 192.0.2.%u}]}, ", i,
                             1 + random_below(&dice, 3), 4 + random_below(&dice, 3));
    }
    snprintf(rules + rules_used, size - rules_used, "{pool: all}");
    snprintf(pools + pools_used, size - pools_used,
             "all: {values: [{value: 192.0.2.1}, {value: 192.0.2.4}, {value: 192.0.2.7}]}");
}

// Methods whose set of answers follows from the client alone.
static void put_name(char *text, size_t size, unsigned number)
{
    static const char *const methods[] = {"ordered, answers: 1", "sticky", "sticky, answers: 2",
                                          "rotate"};
    char rules[1024], pools[1024];
    put_rules(rules, pools, sizeof(rules));
    snprintf(text, size,
             "n%u: [{type: A, ttl: 60, value: 192.0.2.1, dynamic: {pools: {%s}, rules: [%s]}, "
             "signpost: {method: %s}}, {type: HTTPS, value: 1 . ipv4hint=auto}]\n"
             "al%u: {type: ALIAS, value: n%u.example.com.}\n"
             "cn%u: {type: CNAME, value: al%u.example.com.}\n"
             "mx%u: {type: MX, values: [1 n%u.example.com., 2 n%u.example.com.]}\n",
             number, pools, rules, methods[random_below(&dice, ARRAY_SIZE(methods))], number,
             number, number, number, number, number, random_below(&dice, NAMES));
}

static struct publisher *make_world(struct acquired *acquired)
{
    char *text = mem_alloc(NAMES * 4096);
    size_t used = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        put_name(text + used, 4096, i);
        used += strlen(text + used);
    }
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = zone_yaml_read(fuzz_file(text, used), apex, &reader);
    for (size_t i = 0; zone == NULL && i < diags.count; i++) {
        char line[512];
        print_message("%s\n", diag_format(&diags.items[i], line, sizeof(line)));
    }
    assert_non_null(zone);
    struct publisher *publisher = publisher_simple();
    struct change *change = change_begin(publisher);
    change_zone(change, zone, fuzz_plan, acquired);
    diags_clear(&diags);
    assert_true(change_publish(change, &diags));
    zone_free(zone);
    free(text);
    return publisher;
}

static struct address random_client(void)
{
    char text[64];
    struct prefix prefix;
    bool ipv6 = random_below(&dice, 3) == 0;
    put_network(text, sizeof(text), ipv6, random_below(&dice, 8));
    text[strlen(text) - 1] = '\0';
    assert_true(prefix_parse(text + 1, &prefix, NULL));
    struct address client = prefix.address;
    for (unsigned at = ipv6 ? 8 : 3; at < (ipv6 ? 16U : 4U); at++) {
        client.bytes[at] ^= (uint8_t)random_next(&dice);
    }
    if (random_below(&dice, 4) == 0) {
        client.bytes[1 + random_below(&dice, ipv6 ? 7 : 3)] ^=
            (uint8_t)(1U << random_below(&dice, 8));
    }
    return client;
}

// Whether a subnet there counts as the client (private and odd ones do not).
static bool is_public(const struct address *client)
{
    unsigned first = client->bytes[0];
    return client->family == FAMILY_IPV4
               ? first > 0 && first < 224 && first != 127 && first != 169 && first != 10
               : (first & 0xe0) == 0x20;
}

// Another client whose first `length` bits are those of the first.
static struct address neighbour(const struct address *client, unsigned length)
{
    struct address other = *client;
    for (unsigned bit = length; bit < family_bits((enum family)client->family); bit++) {
        if (random_next(&dice) & 1) {
            other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        }
    }
    return other;
}

// The records of an answer, each without its place in the message, as a sum that does not depend on
// their order; hints within a record are a set, too.
struct outcome {
    uint64_t sum;
    unsigned count, scope;
};

static uint64_t record_sum(const uint8_t *fixed, uint16_t type, size_t size)
{
    uint64_t sum = hash_bytes(type, fixed, RR_FIXED_SIZE);
    const uint8_t *rdata = fixed + RR_FIXED_SIZE;
    if (type != TYPE_HTTPS) {
        return hash_bytes(sum, rdata, type == TYPE_MX ? 2 : size);
    }
    for (size_t at = 7; at < size; at += 4) {
        sum += hash_bytes(7, rdata + at, 4);
    }
    return sum;
}

static struct outcome ask_once(const struct generation *generation, struct worker *worker,
                               const char *name, uint16_t type, const struct address *client)
{
    struct query_source source = {.port = 53000, .transport = TRANSPORT_TCP, .address = *client};
    char subnet[PREFIX_TEXT_MAX];
    unsigned bits = client->family == FAMILY_IPV4 ? 32 : 128;
    struct prefix prefix = {*client, (uint8_t)bits};
    struct question question = {
        .name = name, .type = type, .subnet = prefix_format(&prefix, subnet)};
    uint8_t query[512], *out = mem_alloc(ANSWER_TCP_MAX);
    size_t size = query_make(&question, 1, query);
    size = answer(generation, worker, query, size, &source, out);
    assert_int_equal(out[3] & 15, 0);
    struct outcome outcome = {0};
    size_t at = HEADER_SIZE;
    unsigned names = 1;
    for (unsigned left = names + get_u16(out + AT_ANCOUNT) + get_u16(out + AT_NSCOUNT) +
                         get_u16(out + AT_ARCOUNT);
         left > 0; left--) {
        while (out[at] != 0 && out[at] < 0xc0) {
            at += out[at] + 1U;
        }
        at += out[at] == 0 ? 1 : 2;
        if (names > 0) {
            at += QUESTION_FIXED_SIZE;
            names--;
            continue;
        }
        uint16_t kind = get_u16(out + at), length = get_u16(out + at + 8);
        if (kind == TYPE_OPT) {
            assert_int_equal(get_u16(out + at + RR_FIXED_SIZE), 8);
            outcome.scope = out[at + RR_FIXED_SIZE + 7];
        } else {
            outcome.sum += record_sum(out + at, kind, length);
            outcome.count++;
        }
        at += RR_FIXED_SIZE + length;
    }
    assert_int_equal(at, size);
    free(out);
    return outcome;
}

static void test_clients_in_one_scope(void **state)
{
    (void)state;
    const char *pairs_text = getenv("SIGNPOST_PAIRS"); // 10,000,000 for the whole proof
    unsigned long pairs = pairs_text ? strtoul(pairs_text, NULL, 10) : 60000;
    unsigned long narrow = 0, wide = 0;
    for (unsigned long done = 0; done < pairs;) {
        struct acquired acquired = {0};
        struct publisher *publisher = make_world(&acquired);
        struct worker *worker = worker_new(random_next(&dice));
        const struct generation *now = publisher_current(publisher);
        for (unsigned i = 0; i < 20000 && done < pairs; i++, done++) {
            static const struct {
                const char *form;
                uint16_t type;
            } kinds[] = {{"n%u.example.com.", TYPE_A},   {"n%u.example.com.", TYPE_HTTPS},
                         {"al%u.example.com.", TYPE_A},  {"cn%u.example.com.", TYPE_A},
                         {"mx%u.example.com.", TYPE_MX}, {"al%u.example.com.", TYPE_AAAA}};
            size_t kind = random_below(&dice, ARRAY_SIZE(kinds));
            char name[64];
            snprintf(name, sizeof(name), kinds[kind].form, random_below(&dice, NAMES));
            struct address a = random_client();
            struct outcome x = ask_once(now, worker, name, kinds[kind].type, &a);
            struct address b;
            do {
                b = neighbour(&a, x.scope);
            } while (!is_public(&b));
            struct outcome y = ask_once(now, worker, name, kinds[kind].type, &b);
            if (x.sum != y.sum || x.count != y.count || x.scope != y.scope) {
                char one[ADDRESS_TEXT_MAX], two[ADDRESS_TEXT_MAX];
                fail_msg("%s type %u: %s has scope %u, but %s there gets something else", name,
                         kinds[kind].type, address_format(&a, one), x.scope,
                         address_format(&b, two));
            }
            narrow += x.scope > 0;
            wide += x.scope == 0;
        }
        publisher_free(publisher);
        acquired_release(&acquired);
        worker_free(worker);
    }
    print_message("%lu narrow, %lu for everybody\n", narrow, wide);
    assert_true(narrow > pairs / 4 && wide > pairs / 20);
}

static void expect_source_decides(const struct generation *now, struct worker *worker,
                                  const struct address *client)
{
    static const char *const nowhere[] = {"0.0.0.0/0", "::/0", "127.0.0.0/8", "fe80::/10"};
    char name[64], text[ADDRESS_TEXT_MAX];
    snprintf(name, sizeof(name), "n%u.example.com.", random_below(&dice, NAMES));
    struct question question = {
        .name = name, .type = TYPE_A, .source = address_format(client, text), .edns = true};
    struct reply *by_source = ask(now, worker, &question);
    question.subnet = nowhere[random_below(&dice, ARRAY_SIZE(nowhere))];
    struct reply *reply = ask(now, worker, &question);
    assert_int_equal(reply->subnet_scope, 0);
    assert_int_equal(reply->counts[0], by_source->counts[0]);
    for (int i = 0; i < SECTIONS; i++) {
        qsort(reply->lines[i], reply->counts[i], sizeof(char *), line_compare);
        qsort(by_source->lines[i], by_source->counts[i], sizeof(char *), line_compare);
        for (unsigned k = 0; k < reply->counts[i]; k++) {
            assert_string_equal(reply->lines[i][k], by_source->lines[i][k]);
        }
    }
    reply_free(by_source);
    reply_free(reply);
}

// A subnet that says where nobody is leaves the decision to the source, and a scope of it would be
// about somebody else's network (RFC 7871, 7.2.1).
static void test_no_scope_of_a_source(void **state)
{
    (void)state;
    struct acquired acquired = {0};
    struct publisher *publisher = make_world(&acquired);
    struct worker *worker = worker_new(random_next(&dice));
    for (unsigned i = 0; i < 2000; i++) {
        struct address client = random_client();
        expect_source_decides(publisher_current(publisher), worker, &client);
    }
    publisher_free(publisher);
    acquired_release(&acquired);
    worker_free(worker);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clients_in_one_scope),
                                       cmocka_unit_test(test_no_scope_of_a_source)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

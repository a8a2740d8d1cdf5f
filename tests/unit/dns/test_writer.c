// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the writer compresses, an independent decoder reads back; and a brute force over every
// suffix of every name before says how much of a name has to be written out.
#include "dns/writer.h"

#include "../seed.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

enum { MESSAGE_MAX = 65535, RECORDS_MAX = 3000 };

static uint64_t dice;

struct sample {
    uint8_t owner[NAME_MAX_SIZE];
    uint16_t type, class;
    uint32_t ttl;
    uint8_t rdata[3 * NAME_MAX_SIZE];
    size_t rdata_size;
};

// --- the decoder

struct decoder {
    const uint8_t *message;
    size_t size, at;
};

// Reads a name at decoder->at, following pointers, which must lead strictly backwards.
static size_t decode_name(struct decoder *decoder, uint8_t name[NAME_MAX_SIZE])
{
    size_t at = decoder->at, used = 0, lowest = decoder->at;
    bool jumped = false;
    for (;;) {
        assert_true(at < decoder->size);
        unsigned length = decoder->message[at];
        if (length >= 0xc0) {
            assert_true(at + 1 < decoder->size);
            size_t target = (length & 0x3f) << 8 | decoder->message[at + 1];
            if (!jumped) {
                decoder->at = at + 2;
            }
            jumped = true;
            assert_true(target < lowest); // never forward
            assert_true(target >= HEADER_SIZE);
            lowest = at = target;
            continue;
        }
        assert_true(length <= 63);
        assert_true(at + length < decoder->size);
        assert_true(used + length + 1 <= NAME_MAX_SIZE);
        memcpy(name + used, decoder->message + at, length + 1);
        used += length + 1;
        at += length + 1;
        if (length == 0) {
            if (!jumped) {
                decoder->at = at;
            }
            return used;
        }
    }
}

static void folded_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i];
        uint8_t y = b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i];
        assert_int_equal(x, y);
    }
}

// --- the brute force

// Names that the message has so far, of those that may be pointed to.
struct written {
    uint8_t names[1 + COMPRESSED_NAMES_MAX][NAME_MAX_SIZE];
    unsigned count, tried; // tried: names for which a suffix was looked for
};

static void written_begin(struct written *written, const uint8_t *question)
{
    written->count = written->tried = 0;
    if (question[0] != 0) {
        memcpy(written->names[written->count++], question, name_size(question));
    }
}

// Labels of the name that no earlier name ends with.
static unsigned labels_left(const struct written *written, const uint8_t *name)
{
    unsigned left = 0;
    for (; *name != 0; name += *name + 1, left++) {
        for (unsigned i = 0; i < written->count; i++) {
            const uint8_t *suffix = written->names[i];
            for (; *suffix != 0; suffix += *suffix + 1) {
                size_t size = name_size(suffix);
                bool equal = size == name_size(name);
                for (size_t at = 0; equal && at < size; at++) {
                    equal = tolower(name[at]) == tolower(suffix[at]);
                }
                if (equal) {
                    return left;
                }
            }
        }
    }
    return left;
}

// The name as it stands at `at` has as many labels of its own as it must.
static void check_labels(struct written *written, const struct decoder *decoder,
                         const uint8_t *name)
{
    unsigned out = 0;
    const uint8_t *at = decoder->message + decoder->at;
    for (; *at != 0 && *at < 0xc0; at += *at + 1) {
        out++;
    }
    if (*name == 0 || written->tried == COMPRESSED_NAMES_MAX) {
        assert_int_equal(out, name_label_count(name));
        return;
    }
    assert_int_equal(out, labels_left(written, name));
    written->tried++;
    memcpy(written->names[written->count++], name, name_size(name));
}

static unsigned get16(struct decoder *decoder)
{
    assert_true(decoder->at + 2 <= decoder->size);
    unsigned value = (unsigned)decoder->message[decoder->at] << 8;
    value |= decoder->message[decoder->at + 1];
    decoder->at += 2;
    return value;
}

// How the rdata of the types used here is made: fixed bytes, names, the rest.
static const struct form {
    uint16_t type;
    unsigned before, names, after;
    bool compressed;
} forms[] = {
    {TYPE_A, 4, 0, 0, false},   {TYPE_NS, 0, 1, 0, true},     {TYPE_CNAME, 0, 1, 0, true},
    {TYPE_SOA, 0, 2, 20, true}, {TYPE_MX, 2, 1, 0, true},     {14, 0, 2, 0, true},
    {TYPE_SRV, 6, 1, 0, false}, {TYPE_DNAME, 0, 1, 0, false}, {TYPE_TXT, 17, 0, 0, false},
    {65280, 0, 1, 5, false},
};

static const struct form *form_of(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    fail();
    return NULL;
}

// `written`: NULL where names stand that no pointer may reach.
static void check_record(struct decoder *decoder, const struct sample *sample,
                         struct written *written)
{
    uint8_t name[NAME_MAX_SIZE];
    if (written != NULL) {
        check_labels(written, decoder, sample->owner);
    }
    size_t size = decode_name(decoder, name);
    assert_int_equal(size, name_size(sample->owner));
    folded_equal(name, sample->owner, size);
    assert_int_equal(get16(decoder), sample->type);
    assert_int_equal(get16(decoder), sample->class);
    uint32_t ttl = (uint32_t)get16(decoder) << 16;
    assert_int_equal(ttl | get16(decoder), sample->ttl);
    size_t rdata_size = get16(decoder), end = decoder->at + rdata_size;
    assert_true(end <= decoder->size);
    const struct form *form = form_of(sample->type);
    if (!form->compressed) {
        assert_int_equal(rdata_size, sample->rdata_size);
        assert_memory_equal(decoder->message + decoder->at, sample->rdata, rdata_size);
        decoder->at = end;
        return;
    }
    assert_memory_equal(decoder->message + decoder->at, sample->rdata, form->before);
    decoder->at += form->before;
    const uint8_t *expected = sample->rdata + form->before;
    for (unsigned i = 0; i < form->names; i++) {
        if (written != NULL) {
            check_labels(written, decoder, expected);
        }
        size = decode_name(decoder, name);
        assert_int_equal(size, name_size(expected));
        folded_equal(name, expected, size);
        expected += size;
    }
    assert_memory_equal(decoder->message + decoder->at, expected, form->after);
    decoder->at += form->after;
    assert_int_equal(decoder->at, end);
}

// --- samples

// Names over a small tree, so that suffixes are shared; now and then a long one.
static size_t random_name(uint8_t name[NAME_MAX_SIZE])
{
    static const char *const labels[] = {"\3www", "\3WWW", "\1a",       "\7example", "\3com",
                                         "\2ns",  "\1b",   "\6sub\0ab", "\3net",     "\1*"};
    size_t used = 0, count = random_below(&dice, random_below(&dice, 10) == 0 ? 60 : 6);
    while (count-- > 0) {
        const char *label = labels[random_below(&dice, ARRAY_SIZE(labels))];
        size_t size = (uint8_t)label[0] + 1U;
        if (used + size + 1 > NAME_MAX_SIZE) {
            break;
        }
        memcpy(name + used, label, size);
        used += size;
    }
    name[used] = 0;
    return used + 1;
}

static void random_sample(struct sample *sample)
{
    random_name(sample->owner);
    const struct form *form = &forms[random_below(&dice, ARRAY_SIZE(forms))];
    sample->type = form->type;
    sample->class = random_next(&dice) & 1 ? CLASS_IN : CLASS_CH;
    sample->ttl = (uint32_t)random_next(&dice);
    size_t used = 0;
    while (used < form->before) {
        sample->rdata[used++] = (uint8_t)random_next(&dice);
    }
    for (unsigned i = 0; i < form->names; i++) {
        used += random_name(sample->rdata + used);
    }
    for (unsigned i = 0; i < form->after; i++) {
        sample->rdata[used++] = (uint8_t)random_next(&dice);
    }
    sample->rdata_size = used;
}

static size_t begin_message(uint8_t *message)
{
    memset(message, 0, HEADER_SIZE);
    size_t size = HEADER_SIZE + random_name(message + HEADER_SIZE);
    memset(message + size, 1, QUESTION_FIXED_SIZE);
    return size + QUESTION_FIXED_SIZE;
}

static bool put_sample(struct writer *writer, const struct sample *sample)
{
    struct writer_owner owner = {.name = sample->owner};
    return writer_put(writer, &owner, sample->type, sample->class, sample->ttl, sample->rdata,
                      sample->rdata_size);
}

// Writes until the limit, reads all back. Returns how much the message has been compressed.
static void check_message(size_t limit)
{
    struct sample *samples = mem_alloc_array(RECORDS_MAX, sizeof(*samples));
    uint8_t *message = mem_alloc(limit); // exactly: a sanitizer sees a write past the limit
    size_t start = begin_message(message), count = 0;
    struct writer writer;
    writer_begin(&writer, message, start, limit);
    for (unsigned misses = 0; misses < 3 && count < RECORDS_MAX;) {
        random_sample(&samples[count]);
        size_t before = writer.size;
        if (put_sample(&writer, &samples[count])) {
            count++;
        } else {
            assert_int_equal(writer.size, before);
            misses++;
        }
        assert_true(writer.size <= limit);
    }
    struct decoder decoder = {message, writer.size, start};
    struct written written; // the first names: none is out of reach
    written_begin(&written, message + HEADER_SIZE);
    for (size_t i = 0; i < count; i++) {
        check_record(&decoder, &samples[i], &written);
    }
    assert_int_equal(decoder.at, writer.size);
    free(message);
    free(samples);
}

static void test_messages_read_back(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        check_message(512 + random_below(&dice, 2000));
    }
    for (int round = 0; round < 60; round++) {
        check_message(MESSAGE_MAX); // past 16,383, where pointers no longer reach
    }
}

// A name that begins before offset 16,384 and ends behind it: its last labels are out of the reach
// of pointers.
static void test_names_across_the_reach_of_pointers(void **state)
{
    (void)state;
    uint8_t *message = mem_alloc(MESSAGE_MAX);
    uint8_t *filler = mem_alloc(0x4000);
    struct sample long_name = {.type = TYPE_A, .rdata_size = 4};
    for (unsigned i = 0; i < 30; i++) {
        memcpy(long_name.owner + 8 * i, "\7label", 6);
        long_name.owner[8 * i + 6] = (uint8_t)('a' + i);
        long_name.owner[8 * i + 7] = 'x';
    }
    for (size_t at = 0x4000 - 260; at < 0x4000 + 10; at++) {
        size_t start = begin_message(message);
        struct writer writer;
        writer_begin(&writer, message, start, MESSAGE_MAX);
        bool short_owner = message[HEADER_SIZE] == 0; // the root is never a pointer
        size_t filler_size = at - start - (short_owner ? 1 : 2) - RR_FIXED_SIZE;
        struct writer_owner owner = {.name = message + HEADER_SIZE};
        assert_true(writer_put(&writer, &owner, TYPE_TXT, CLASS_IN, 0, filler, filler_size));
        assert_int_equal(writer.size, at);
        // Two records of one owner, which may be pointed to as a whole or not.
        struct writer_owner twice = {.name = long_name.owner};
        for (unsigned i = 0; i < 2; i++) {
            assert_true(writer_put(&writer, &twice, long_name.type, long_name.class, long_name.ttl,
                                   long_name.rdata, long_name.rdata_size));
        }
        struct sample samples[31];
        for (unsigned i = 0; i < 31; i++) { // the whole, then its suffixes from the shortest
            samples[i] = long_name;
            size_t skip = i == 0 ? 0 : 8 * (30 - i);
            memmove(samples[i].owner, long_name.owner + skip, name_size(long_name.owner) - skip);
            assert_true(put_sample(&writer, &samples[i]));
        }
        struct decoder decoder = {message, writer.size, at};
        check_record(&decoder, &long_name, NULL);
        check_record(&decoder, &long_name, NULL);
        for (unsigned i = 0; i < 31; i++) {
            check_record(&decoder, &samples[i], NULL);
        }
    }
    free(message);
    free(filler);
}

// At every limit the records that fit are those that fit alone, and the rest leaves no trace.
static void test_every_limit(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct sample samples[6];
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
            random_sample(&samples[i]);
        }
        uint8_t whole[8192];
        size_t start = begin_message(whole), ends[ARRAY_SIZE(samples)];
        struct writer writer;
        writer_begin(&writer, whole, start, sizeof(whole));
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
            assert_true(put_sample(&writer, &samples[i]));
            ends[i] = writer.size;
        }
        for (size_t limit = start; limit <= writer.size; limit++) {
            uint8_t *message = mem_alloc(limit);
            memcpy(message, whole, start);
            struct writer cut;
            writer_begin(&cut, message, start, limit);
            size_t fits = 0;
            while (fits < ARRAY_SIZE(samples) && put_sample(&cut, &samples[fits])) {
                fits++;
            }
            size_t expected = 0;
            while (expected < ARRAY_SIZE(samples) && ends[expected] <= limit) {
                expected++;
            }
            assert_int_equal(fits, expected);
            assert_int_equal(cut.size, fits ? ends[fits - 1] : start);
            assert_memory_equal(message + start, whole + start, cut.size - start);
            free(message);
        }
    }
}

// The question's name is worth two octets wherever it comes again.
static void test_compresses(void **state)
{
    (void)state;
    static const uint8_t name[] = "\3www\7example\3com", target[] = "\4mail\7EXAMPLE\3com";
    uint8_t message[512] = {0};
    memcpy(message + HEADER_SIZE, name, sizeof(name));
    size_t start = HEADER_SIZE + sizeof(name) + QUESTION_FIXED_SIZE;
    struct writer writer;
    writer_begin(&writer, message, start, sizeof(message));
    struct writer_owner question = {.name = name}, other = {.name = target};
    struct writer_owner root = {.name = (const uint8_t *)""};
    assert_true(writer_put(&writer, &question, TYPE_CNAME, CLASS_IN, 1, target, sizeof(target)));
    assert_int_equal(writer.size - start, 2 + 10 + 5 + 2);
    size_t before = writer.size;
    assert_true(writer_put(&writer, &other, TYPE_A, CLASS_IN, 1, (const uint8_t *)"1234", 4));
    assert_int_equal(writer.size - before, 2 + 10 + 4);
    before = writer.size;
    assert_true(writer_put(&writer, &root, TYPE_NS, CLASS_IN, 1, name, sizeof(name)));
    assert_int_equal(writer.size - before, 1 + 10 + 2);
}

// Records of one owner point to where the first one has it; not when that one did not fit.
static void test_owner_is_pointed_to(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1q", far[] = "\5other\4name";
    uint8_t message[128] = {0};
    memcpy(message + HEADER_SIZE, name, sizeof(name));
    const size_t start = HEADER_SIZE + sizeof(name) + QUESTION_FIXED_SIZE;
    struct writer writer;
    writer_begin(&writer, message, start, sizeof(message));
    struct writer_owner owner = {.name = far}, question = {name, HEADER_SIZE};
    uint8_t long_text[100] = {99};
    assert_false(writer_put(&writer, &owner, TYPE_TXT, CLASS_IN, 1, long_text, sizeof(long_text)));
    assert_int_equal(writer.size, start);
    assert_int_equal(owner.at, 0);
    static const uint8_t record[] = "\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd";
    assert_true(writer_copy(&writer, &owner, record, sizeof(record) - 1));
    assert_int_equal(owner.at, start);
    assert_memory_equal(message + start, far, sizeof(far));
    size_t before = writer.size;
    assert_true(writer_copy(&writer, &owner, record, sizeof(record) - 1));
    assert_int_equal(writer.size - before, 16);
    assert_int_equal(get_u16(message + before), 0xc000 | start);
    before = writer.size;
    assert_true(writer_put(&writer, &question, TYPE_NS, CLASS_IN, 1, far, sizeof(far)));
    assert_int_equal(get_u16(message + before), 0xc000 | HEADER_SIZE);
    assert_int_equal(writer.last_name, start);
    assert_int_equal(writer.size - before, 14);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_read_back),
        cmocka_unit_test(test_names_across_the_reach_of_pointers),
        cmocka_unit_test(test_every_limit),
        cmocka_unit_test(test_compresses),
        cmocka_unit_test(test_owner_is_pointed_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

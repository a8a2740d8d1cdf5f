// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/cookie.h"

#include "base/hash.h"
#include "dns/wire.h"

#include <string.h>

enum { VERSION = 1, HASH_AT = 8, HASH_SIZE = 8 };

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], unsigned rounds)
{
    for (; rounds > 0; rounds--) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

uint64_t siphash_2_4(const uint8_t key[16], const uint8_t *bytes, size_t size)
{
    uint64_t k0 = hash_word(key), k1 = hash_word(key + 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
                     k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL};
    uint64_t last = (uint64_t)size << 56;
    for (; size >= 8; bytes += 8, size -= 8) {
        sip_word(v, hash_word(bytes));
    }
    for (size_t i = 0; i < size; i++) {
        last |= (uint64_t)bytes[i] << (8 * i);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

// RFC 9018, 4.4: the hash over client cookie, the first eight octets of the server cookie, address.
static void put_hash(const uint8_t *secret, const uint8_t *client_cookie,
                     const struct address *client, const uint8_t *head, uint8_t hash[HASH_SIZE])
{
    uint8_t input[COOKIE_CLIENT_SIZE + HASH_AT + sizeof(client->bytes)];
    size_t address_size = family_bits((enum family)client->family) / 8;
    memcpy(input, client_cookie, COOKIE_CLIENT_SIZE);
    memcpy(input + COOKIE_CLIENT_SIZE, head, HASH_AT);
    memcpy(input + COOKIE_CLIENT_SIZE + HASH_AT, client->bytes, address_size);
    uint64_t value = siphash_2_4(secret, input, COOKIE_CLIENT_SIZE + HASH_AT + address_size);
    for (unsigned i = 0; i < HASH_SIZE; i++) {
        hash[i] = (uint8_t)(value >> (8 * i));
    }
}

void cookie_make(const uint8_t secret[COOKIE_SECRET_SIZE], const uint8_t *client_cookie,
                 const struct address *client, uint32_t now_s,
                 uint8_t server_cookie[COOKIE_SERVER_SIZE])
{
    memset(server_cookie, 0, COOKIE_SERVER_SIZE);
    server_cookie[0] = VERSION;
    put_u32(server_cookie + 4, now_s);
    put_hash(secret, client_cookie, client, server_cookie, server_cookie + HASH_AT);
}

static bool equal_in_constant_time(const uint8_t *a, const uint8_t *b)
{
    volatile uint8_t difference = 0; // volatile: no early end may be made of it
    for (unsigned i = 0; i < HASH_SIZE; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

enum cookie_verdict cookie_check(const struct cookie_secrets *secrets,
                                 const struct edns_request *request, const struct address *client,
                                 uint32_t now_s)
{
    const uint8_t *server_cookie = request->cookie + COOKIE_CLIENT_SIZE;
    if (request->cookie_size != COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE ||
        server_cookie[0] != VERSION) {
        return COOKIE_WRONG;
    }
    unsigned matches = 0; // a bit a secret
    for (unsigned i = 0; i < secrets->count; i++) {
        uint8_t hash[HASH_SIZE];
        put_hash(secrets->secrets[i], request->cookie, client, server_cookie, hash);
        matches |= (unsigned)equal_in_constant_time(hash, server_cookie + HASH_AT) << i;
    }
    uint32_t age = now_s - get_u32(server_cookie + 4); // of the future: close to 2^32
    bool in_time = age <= COOKIE_PAST_MAX_S || -age <= COOKIE_FUTURE_MAX_S;
    if (matches == 0 || !in_time) {
        return COOKIE_WRONG;
    }
    return matches & 1 && age <= COOKIE_RENEW_S ? COOKIE_VALID : COOKIE_STALE;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Certificates and keys as files, made on the spot.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

// A pass phrase encrypts it; NULL: none.
static inline void write_key(const char *path, EVP_PKEY *key, const char *pass_phrase)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, pass_phrase ? EVP_aes_128_cbc() : NULL, NULL,
                                          0, NULL, (void *)(uintptr_t)pass_phrase),
                     1);
    fclose(file);
}

static inline void write_certificate(const char *path, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), -100);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 100000);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    X509_free(certificate);
}

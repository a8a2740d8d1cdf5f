// SPDX-License-Identifier: GPL-3.0-or-later
//
// The handful of macros every other file may use, and the assertions.
//
// SP_ASSERT states an invariant of our own: it is always on, and bytes from the network or from an
// operator's file must never be able to reach a false one (those are errors, returned as values).
// SP_DEBUG_ASSERT is for checks too costly for the query path; it is on in sanitizer builds.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

// For what the query path should not pay for: a function's saved registers and its space on the
// stack are paid for by every path through whatever it is inlined in. And the other way round.
#define NOT_INLINE    __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

// Prints the failed invariant with its place and ends the process.
_Noreturn void assert_fail(const char *expression, const char *file, int line,
                           const char *function);

#define SP_ASSERT(expression)                                                                      \
    (LIKELY(expression) ? (void)0 : assert_fail(#expression, __FILE__, __LINE__, __func__))

#ifdef SP_DEBUG
#define SP_DEBUG_ASSERT(expression) SP_ASSERT(expression)
#else
#define SP_DEBUG_ASSERT(expression) ((void)0)
#endif

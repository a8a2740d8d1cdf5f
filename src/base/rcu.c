// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/rcu.h"

#include <urcu-qsbr.h>

#if defined(__SANITIZE_THREAD__)
#define SP_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SP_TSAN 1
#endif
#endif

// liburcu orders these through memory that its uninstrumented library touches; the annotations
// state the same order: what a reader did before a quiescent state happens before rcu_wait returns.
#ifdef SP_TSAN
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
static char grace;
#define GRACE_RELEASE() __tsan_release(&grace)
#define GRACE_ACQUIRE() __tsan_acquire(&grace)
#else
#define GRACE_RELEASE() ((void)0)
#define GRACE_ACQUIRE() ((void)0)
#endif

void rcu_reader_register(void)
{
    urcu_qsbr_register_thread();
}

void rcu_reader_unregister(void)
{
    GRACE_RELEASE();
    urcu_qsbr_unregister_thread();
}

void rcu_quiescent(void)
{
    GRACE_RELEASE();
    urcu_qsbr_quiescent_state();
}

void rcu_reader_offline(void)
{
    GRACE_RELEASE();
    urcu_qsbr_thread_offline();
}

void rcu_reader_online(void)
{
    urcu_qsbr_thread_online();
}

void rcu_wait(void)
{
    urcu_qsbr_synchronize_rcu();
    GRACE_ACQUIRE();
}

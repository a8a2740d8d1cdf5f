// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of limits: each row says all that the page made from it shows.
#include "config/config_options.h"
#include "config/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < limit_count(); i++) {
        const struct limit *limit = limit_at(i);
        if (limit->subject == NULL || limit->then == NULL || limit->reason == NULL) {
            fail_msg("row %zu (%s) is not whole", i, limit->subject ? limit->subject : "?");
        }
        if (limit->option != NULL) {
            assert_non_null(config_option_named(limit->option));
        } else {
            assert_non_null(limit->unit);
            assert_true(limit->value > 0);
        }
        assert_non_null(limit_group_title(limit->group));
        assert_true(i == 0 || limit_at(i - 1)->group <= limit->group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests_name("config/limits", tests, NULL, NULL);
}

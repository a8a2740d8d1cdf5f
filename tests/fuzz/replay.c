// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a target over every file of its corpus: the fuzzers' findings as a regression test, in every
// build and under every sanitizer.
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>

enum { INPUT_SIZE_MAX = 1 << 20 };

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    uint8_t *bytes = mem_alloc(INPUT_SIZE_MAX);
    size_t size = fread(bytes, 1, INPUT_SIZE_MAX, file);
    fclose(file);
    uint8_t *exact = mem_copy(bytes, size); // a sanitizer sees a read past the end
    free(bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return true;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    unsigned count = 0;
    bool good = true;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
            good &= run_file(path);
            count++;
        }
    }
    closedir(folder);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%u inputs\n", count);
    return good && count > 0 ? 0 : 1;
}

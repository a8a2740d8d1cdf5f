// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void output_begin(struct output *output)
{
    *output = (struct output){0};
    output->file = open_memstream(&output->text, &output->size);
    SP_ASSERT(output->file != NULL); // it fails only for want of memory
}

// A new file, renamed over the old one: a server that reads meanwhile sees one of them whole.
static bool file_write(const struct output *output, const char *path)
{
    char *fresh = mem_printf("%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && file_write_all(fd, output->text, output->size) && fsync(fd) == 0;
    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    good = good && rename(fresh, path) == 0;
    if (!good) {
        cli_failure("%s cannot be written: %s", path, strerror(errno));
        if (fd >= 0) {
            unlink(fresh);
        }
    }
    free(fresh);
    return good;
}

bool output_end(struct output *output, const char *path)
{
    fclose(output->file);
    bool good;
    if (path != NULL) {
        good = file_write(output, path);
    } else {
        good = file_write_all(STDOUT_FILENO, output->text, output->size);
        if (!good) {
            cli_failure("standard output cannot be written: %s", strerror(errno));
        }
    }
    free(output->text);
    return good;
}

void output_drop(struct output *output)
{
    fclose(output->file);
    free(output->text);
}

int output_peek(struct output *output, char path[32])
{
    fflush(output->file);
    int fd = memfd_create("signpost-document", MFD_CLOEXEC);
    if (fd < 0 || !file_write_all(fd, output->text, output->size)) {
        cli_failure("the document cannot be read back: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

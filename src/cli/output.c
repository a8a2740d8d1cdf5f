// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output.h"

#include "base/durable_file.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DOCUMENT_MODE = 0644 };

void output_begin(struct output *output)
{
    *output = (struct output){0};
    output->file = open_memstream(&output->text, &output->size);
    SP_ASSERT(output->file != NULL); // it fails only for want of memory
}

static bool refuse(const char *name)
{
    cli_failure("%s cannot be written: %s", name, strerror(errno));
    return false;
}

// A device or a pipe is written to; a file in its place would be a surprise (/dev/null, as root).
static bool device_write(const struct output *output, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    bool good = (fd >= 0 && file_write_all(fd, output->text, output->size)) || refuse(path);
    if (fd >= 0 && close(fd) != 0 && good) {
        good = refuse(path);
    }
    return good;
}

// A new file, renamed over the old one: a server that reads meanwhile sees one of them whole. A
// symbolic link stays, and what it leads to is replaced.
static bool file_write(const struct output *output, const char *path)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        return device_write(output, path);
    }
    struct diags diags = {0};
    char *target = exists ? realpath(path, NULL) : NULL;
    bool good = durable_file_write(target != NULL ? target : path, DOCUMENT_MODE, output->text,
                                   output->size, &diags);
    diags_print(stderr, &diags);
    diags_clear(&diags);
    free(target);
    return good;
}

bool output_end(struct output *output, const char *path)
{
    fclose(output->file);
    bool good = path != NULL ? file_write(output, path)
                             : file_write_all(STDOUT_FILENO, output->text, output->size) ||
                                   refuse("standard output");
    free(output->text);
    return good;
}

void output_drop(struct output *output)
{
    fclose(output->file);
    free(output->text);
}

int output_peek(struct output *output, char path[OUTPUT_PATH_MAX])
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
    snprintf(path, OUTPUT_PATH_MAX, "/proc/self/fd/%d", fd);
    return fd;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// External commands: run without a shell, in a process group of their own, with a cleaned
// environment, small limits and another user if the configuration says so. The exit status is the
// verdict, the first line of the output its reason.
//
// A child outlives its attempt until it is reaped: it is killed with its whole group at the
// deadline and after its end (so that nothing it started stays), and reaped when the kernel says
// so.
#include "probe/prober_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 100, CHILD_FILES_MAX = 64 };
#define CHILD_MEMORY_MAX (1ULL << 30)
#define CHILD_FILE_MAX   (1ULL << 20)

struct child {
    struct prober_uv *prober;
    struct attempt *attempt; // NULL: nobody waits for it any more
    pid_t pid;
    int pidfd, output, failure;
    uv_poll_t poll; // of pidfd
};

// --- in the child, between fork and exec: only what is safe there ---

struct plan {
    const char *const *argv;
    const char *const *environment;
    uid_t uid;
    gid_t gid;
    int output, failure;
    rlim_t cpu_seconds;
};

static bool limits_set(const struct plan *plan)
{
    const struct {
        int resource;
        rlim_t limit;
    } limits[] = {
        {RLIMIT_CPU, plan->cpu_seconds},  {RLIMIT_CORE, 0},
        {RLIMIT_NOFILE, CHILD_FILES_MAX}, {RLIMIT_FSIZE, CHILD_FILE_MAX},
        {RLIMIT_AS, CHILD_MEMORY_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) != 0) {
            return false;
        }
    }
    return true;
}

static bool identity_set(const struct plan *plan)
{
    if (plan->uid == (uid_t)-1) {
        return true;
    }
    return setgroups(0, NULL) == 0 && setresgid(plan->gid, plan->gid, plan->gid) == 0 &&
           setresuid(plan->uid, plan->uid, plan->uid) == 0;
}

// What this process ignores or blocks, its children would too.
static void signals_reset(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); // those that cannot be set are at their default
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_run(const struct plan *plan)
{
    signals_reset();
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    // The failure pipe becomes 3 and closes by itself on exec.
    if (setpgid(0, 0) == 0 && input >= 0 && dup2(plan->output, 1) == 1 &&
        dup2(plan->output, 2) == 2 && dup2(input, 0) == 0 && dup2(plan->failure, 3) == 3 &&
        fcntl(3, F_SETFD, FD_CLOEXEC) == 0 && close_range(4, ~0U, 0) == 0 && limits_set(plan) &&
        identity_set(plan) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) {
        execve(plan->argv[0], (char *const *)plan->argv, (char *const *)plan->environment);
    }
    int error = errno;
    ssize_t ignored = write(3, &error, sizeof(error));
    _exit(ignored == (ssize_t)sizeof(error) ? 127 : 126);
}

// --- the end of a child ---

static void child_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    struct prober_uv *prober = child->prober;
    free(child);
    prober_handle_closed(prober);
}

// The first line, printable; what is left out is no secret of ours.
static void first_line(int fd, char line[LINE_MAX_SIZE])
{
    ssize_t got = read(fd, line, LINE_MAX_SIZE - 1);
    size_t size = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] == '\n' || line[i] == '\r') {
            size = i;
        } else if (line[i] < ' ' || line[i] >= 0x7f) {
            line[i] = '?';
        }
    }
    line[size] = '\0';
}

static void child_judge(const struct child *child, const siginfo_t *end,
                        struct probe_result *result)
{
    char line[LINE_MAX_SIZE];
    int error = 0;
    if (read(child->failure, &error, sizeof(error)) == (ssize_t)sizeof(error)) {
        probe_result_set(result, PROBE_LOCAL_ERROR, "the command cannot be run: %s",
                         strerror(error));
        return;
    }
    first_line(child->output, line);
    if (end->si_code != CLD_EXITED) {
        probe_result_set(result, PROBE_EXEC_SIGNAL, "signal %d%s%s", end->si_status,
                         line[0] ? ": " : "", line);
    } else if (end->si_status != 0) {
        probe_result_set(result, PROBE_EXEC_STATUS, "status %d%s%s", end->si_status,
                         line[0] ? ": " : "", line);
    } else {
        probe_result_set(result, PROBE_OK, "%s", line[0] ? line : "status 0");
    }
}

static void child_ended(uv_poll_t *poll, int status, int events)
{
    struct child *child = poll->data;
    struct attempt *attempt = child->attempt;
    siginfo_t end = {0};
    (void)status;
    (void)events;
    kill(-child->pid, SIGKILL); // while it is not reaped the group is still its own
    if (waitid(P_PIDFD, (id_t)child->pidfd, &end, WEXITED | WNOHANG) != 0 || end.si_pid == 0) {
        return;
    }
    if (attempt) {
        child_judge(child, &end, &attempt->result);
        attempt->own = NULL;
    }
    uv_close((uv_handle_t *)poll, child_closed);
    close(child->pidfd);
    close(child->output);
    close(child->failure);
    if (attempt) {
        attempt_end(attempt);
    }
}

static void exec_forget(struct attempt *attempt)
{
    struct child *child = attempt->own;
    if (child) {
        kill(-child->pid, SIGKILL);
        kill(child->pid, SIGKILL); // it may not have made its group yet
        child->attempt = NULL;
    }
    attempt->own = NULL;
}

static void exec_timeout(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    probe_result_set(&attempt->result, PROBE_EXEC_TIMEOUT, "killed after %llu ms",
                     (unsigned long long)timeout_ms(attempt->recipe.spec));
    attempt_end(attempt);
}

// --- the beginning ---

static const struct probe_command *command_find(const struct attempt *attempt)
{
    const struct prober_uv *prober = attempt->prober;
    const char *name = attempt->recipe.spec->command;
    for (size_t i = 0; name && i < prober->command_count; i++) {
        if (strcmp(prober->commands[i].name, name) == 0) {
            return &prober->commands[i];
        }
    }
    return NULL;
}

static bool pipes_make(int output[2], int failure[2])
{
    if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) != 0) {
        close(output[0]);
        close(output[1]);
        return false;
    }
    return true;
}

static struct child *child_watch(struct attempt *attempt, pid_t pid, int pidfd, int output,
                                 int failure)
{
    struct child *child = mem_alloc(sizeof(*child));
    *child = (struct child){attempt->prober, attempt, pid, pidfd, output, failure, {0}};
    if (uv_poll_init(attempt->prober->loop, &child->poll, pidfd) != 0) {
        free(child);
        return NULL;
    }
    child->poll.data = child;
    prober_handle_opened(attempt->prober);
    uv_poll_start(&child->poll, UV_READABLE, child_ended);
    return child;
}

// Forks. False with errno set.
static bool child_start(struct attempt *attempt, struct plan *plan)
{
    int output[2], failure[2];
    if (!pipes_make(output, failure)) {
        return false;
    }
    plan->output = output[1];
    plan->failure = failure[1];
    pid_t pid = fork();
    if (pid == 0) {
        child_run(plan);
    }
    int error = errno;
    close(output[1]);
    close(failure[1]);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    attempt->own = pidfd >= 0 ? child_watch(attempt, pid, pidfd, output[0], failure[0]) : NULL;
    if (attempt->own) {
        return true;
    }
    error = pid > 0 ? EMFILE : error;
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    close(output[0]);
    close(failure[0]);
    errno = error;
    return false;
}

// What a command is told. `list` points into `texts`.
struct environment {
    char texts[3][80];
    const char *list[6];
};

static void environment_make(const struct attempt *attempt, struct environment *environment)
{
    char address[ADDRESS_TEXT_MAX];
    char(*texts)[sizeof(environment->texts[0])] = environment->texts;
    snprintf(texts[0], sizeof(texts[0]), "SIGNPOST_ADDRESS=%s",
             address_format(&attempt->target, address));
    snprintf(texts[1], sizeof(texts[1]), "SIGNPOST_PORT=%u", attempt->port);
    snprintf(texts[2], sizeof(texts[2]), "SIGNPOST_TIMEOUT_MS=%llu",
             (unsigned long long)timeout_ms(attempt->recipe.spec));
    const char *const list[] = {
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", texts[0], texts[1], texts[2], NULL};
    memcpy(environment->list, list, sizeof(list));
}

// Whether it may look at the target: what it does there is its own matter, but not where. False
// with the result set.
static bool target_passes(struct attempt *attempt)
{
    struct sockaddr_storage to;
    address_to_sockaddr(&attempt->target, attempt->port, &to);
    return gate_passes(&attempt->prober->gate, (struct sockaddr *)&to, &attempt->result);
}

// False with the result set.
static bool command_start(struct attempt *attempt)
{
    const struct probe_command *command = command_find(attempt);
    if (command == NULL) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR,
                         "health.commands has no command of this name");
        return false;
    }
    struct environment environment;
    environment_make(attempt, &environment);
    struct plan plan = {
        .argv = command->argv,
        .environment = environment.list,
        .uid = command->uid,
        .gid = command->gid,
        .cpu_seconds = (rlim_t)(attempt->recipe.spec->timeout_ns / NS_PER_SECOND + 2),
    };
    if (!target_passes(attempt)) {
        return false;
    }
    if (!child_start(attempt, &plan)) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR, "the command cannot be run: %s",
                         strerror(errno));
        return false;
    }
    return true;
}

static void exec_start(struct attempt *attempt)
{
    if (command_start(attempt)) {
        attempt_deadline(attempt, exec_timeout);
    } else {
        attempt_end_soon(attempt);
    }
}

const struct attempt_kind attempt_exec = {exec_start, exec_forget};

// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/probers.h"

#include "base/log.h"
#include "base/memory.h"

#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

// Who a part of the server is to be. False when it is a user that this process may not become.
static bool user_find(const char *name, uid_t *uid, gid_t *gid)
{
    *uid = (uid_t)-1;
    *gid = (gid_t)-1;
    if (name == NULL) {
        return true;
    }
    char buffer[4096];
    struct passwd entry, *found = NULL;
    getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
    if (found == NULL || (geteuid() != 0 && found->pw_uid != geteuid())) {
        return false;
    }
    *uid = geteuid() == 0 ? found->pw_uid : (uid_t)-1;
    *gid = found->pw_gid;
    return true;
}

struct lists {
    struct probe_command *commands;
    struct endpoint *own;
};

static struct prober_options options_make(const struct config *config, const struct net *net,
                                          struct lists *lists)
{
    size_t command_count = config->health_command_count, own_count = net_endpoint_count(net);
    lists->commands = mem_alloc_array(MAX(command_count, 1U), sizeof(*lists->commands));
    lists->own = mem_alloc_array(MAX(own_count, 1U), sizeof(*lists->own));
    uid_t uid;
    gid_t gid;
    if (!user_find(config->health_commands_user, &uid, &gid)) {
        // None is run, rather than with more rights than was meant.
        log_event(LOG_EVENT_COMMANDS_USER, "user=%s", config->health_commands_user);
        command_count = 0;
    }
    for (size_t i = 0; i < command_count; i++) {
        lists->commands[i] = (struct probe_command){config->health_commands[i].name,
                                                    config->health_commands[i].argv, uid, gid};
    }
    for (size_t i = 0; i < own_count; i++) {
        lists->own[i] = net_endpoint(net, i);
    }
    return (struct prober_options){
        .allow = config->health_allow,
        .allow_count = config->health_allow_count,
        .own = lists->own,
        .own_count = own_count,
        .commands = lists->commands,
        .command_count = command_count,
    };
}

static void on_turned(void *context, bool alive, const char *reason)
{
    struct probers *probers = context;
    log_event(alive ? LOG_EVENT_PROBER_BEGUN : LOG_EVENT_PROBER_ENDED, "reason=\"%s\"", reason);
    if (probers->events != NULL) {
        events_add(probers->events, EVENT_PROBER,
                   json_pack("{s:b, s:s}", "alive", (int)alive, "what", reason));
    }
}

bool probers_open(struct probers *probers, uv_loop_t *loop, const struct config *config,
                  const struct net *net, struct diags *diags)
{
    struct lists lists;
    bool good = true;
    *probers = (struct probers){.events = NULL};
    struct prober_options options = options_make(config, net, &lists);
    struct prober_remote_options remote = {
        .program = "/proc/self/exe", .probes = options, .turned = on_turned, .context = probers};
    if (config->health_process == HEALTH_INSIDE) {
        probers->inside = prober_uv_new(loop, &options);
    } else if (user_find(config->health_user, &remote.uid, &remote.gid)) {
        probers->remote = prober_remote_new(loop, &remote);
    } else {
        diags_error(diags, (struct place){.file = config->path}, "health.user",
                    "there is no user %s, or this server may not become it", config->health_user);
        good = false;
    }
    free(lists.commands);
    free(lists.own);
    return good;
}

const struct prober *probers_prober(const struct probers *probers)
{
    return probers->remote != NULL ? prober_remote_prober(probers->remote)
                                   : prober_uv_prober(probers->inside);
}

void probers_report(struct probers *probers, probe_ended *ended, void *context)
{
    if (probers->remote != NULL) {
        prober_remote_report(probers->remote, ended, context);
    } else {
        prober_uv_report(probers->inside, ended, context);
    }
}

void probers_tell(struct probers *probers, struct events *events)
{
    probers->events = events;
}

unsigned probers_room(const struct probers *probers)
{
    enum { PROBES_MAX = 32768, PROCESS_OWN = 64 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return HEALTH_PROBES_MAX;
    }
    if (limit.rlim_cur < limit.rlim_max) { // nothing here uses select()
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t room = limit.rlim_cur / 2;
    if (probers->remote != NULL && limit.rlim_max > (rlim_t)2 * PROCESS_OWN) {
        room = limit.rlim_max - PROCESS_OWN;
    }
    return (unsigned)MIN(room, (rlim_t)PROBES_MAX);
}

void probers_close(struct probers *probers)
{
    probers->events = NULL;
    prober_remote_free(probers->remote);
    prober_uv_free(probers->inside);
    *probers = (struct probers){.events = NULL};
}

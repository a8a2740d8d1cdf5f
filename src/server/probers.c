// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/probers.h"

#include "base/log.h"

#include <pwd.h>
#include <unistd.h>

// Who commands run as. False when it should be a user that this process may not become: then none
// is run, rather than with more rights than was meant.
static bool command_user(const struct config *config, uid_t *uid, gid_t *gid)
{
    *uid = (uid_t)-1;
    *gid = (gid_t)-1;
    if (config->health_commands_user == NULL) {
        return true;
    }
    char buffer[4096];
    struct passwd entry, *found = NULL;
    getpwnam_r(config->health_commands_user, &entry, buffer, sizeof(buffer), &found);
    if (found != NULL && (geteuid() == 0 || found->pw_uid == geteuid())) {
        *uid = geteuid() == 0 ? found->pw_uid : (uid_t)-1;
        *gid = found->pw_gid;
        return true;
    }
    log_event(LOG_EVENT_COMMANDS_USER, "user=%s", config->health_commands_user);
    return false;
}

struct prober_uv *probers_open(uv_loop_t *loop, const struct config *config, const struct net *net)
{
    size_t command_count = config->health_command_count, own_count = net_endpoint_count(net);
    struct probe_command *commands = mem_alloc_array(MAX(command_count, 1U), sizeof(*commands));
    struct endpoint *own = mem_alloc_array(MAX(own_count, 1U), sizeof(*own));
    uid_t uid;
    gid_t gid;
    if (!command_user(config, &uid, &gid)) {
        command_count = 0;
    }
    for (size_t i = 0; i < command_count; i++) {
        commands[i] = (struct probe_command){config->health_commands[i].name,
                                             config->health_commands[i].argv, uid, gid};
    }
    for (size_t i = 0; i < own_count; i++) {
        own[i] = net_endpoint(net, i);
    }
    const struct prober_options options = {
        .allow = config->health_allow,
        .allow_count = config->health_allow_count,
        .own = own,
        .own_count = own_count,
        .commands = commands,
        .command_count = command_count,
    };
    struct prober_uv *prober = prober_uv_new(loop, &options);
    free(commands);
    free(own);
    return prober;
}

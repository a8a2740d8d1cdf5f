// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steering over the API: ramps. Called by routes.c on the control thread.
#include "api/call.h"

void handle_ramps(struct api_call *call)
{
    json_t *ramps = call->backend->ramps(call->backend->state);
    call_json(call, 200, json_pack("{s:o}", "ramps", ramps));
}

static void ramp_set(struct api_call *call, const char *mode)
{
    const char *ramp = call_param(call, "ramp");
    if (!call->backend->ramp_set(call->backend->state, ramp, mode)) {
        call_problem(call, 404, "there is no ramp of this name; GET /v1/ramps lists them");
        return;
    }
    handle_ramps(call);
}

void handle_ramp_hold(struct api_call *call)
{
    ramp_set(call, "held");
}

void handle_ramp_resume(struct api_call *call)
{
    ramp_set(call, "running");
}

void handle_ramp_abort(struct api_call *call)
{
    ramp_set(call, "aborted");
}

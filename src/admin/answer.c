#include <stdlib.h>

#include "admin/client.h"
#include "admin/render_json.h"
#include "admin/render_text.h"

static struct MHD_Response *make_response(struct reply *reply)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(reply->body), (void *)(uintptr_t)reply->body,
                                        reply->owned != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(reply->owned);
        return NULL;
    }
    bool ok = MHD_add_response_header(response, "content-type", reply->type) == MHD_YES &&
              MHD_add_response_header(response, "cache-control", "no-cache") == MHD_YES;
    if (reply->header_name != NULL)
        ok = ok && MHD_add_response_header(response, reply->header_name, reply->header_value) == MHD_YES;
    if (ok)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* Owns what reply owns. MHD_NO, when memory is out, makes MHD end the connection. */
static enum MHD_Result answer(struct client *client, struct reply reply)
{
    struct MHD_Response *response = make_response(&reply);
    log_debug(client->admin->log, "admin_request", LOG_ADDR("client", &client->peer), LOG_UINT("status", reply.status));
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(client->connection, reply.status, response);
    MHD_destroy_response(response); /* the connection has a reference of its own */
    return result;
}

void client_on_auth_done(struct auth_job *job)
{
    struct client *client = CONTAINER_OF(job, struct client, job);
    client->verdict = job->matches ? VERDICT_IN : VERDICT_OUT;
    client_restart_clock(client);
    MHD_resume_connection(client->connection);
    /* Not run_mhd(): on the way out MHD must only be stopped. */
    ev_feed_event(client->admin->loop, &client->admin->mhd_io, EV_READ);
}

/* The handler is called again, with a verdict, when the hash is done. */
static enum MHD_Result check_password(struct client *client)
{
    const struct conf_strings *users = &client->admin->view->snap->conf->admin.stats_auth;
    const char *header = MHD_lookup_connection_value(client->connection, MHD_HEADER_KIND, "authorization");
    if (!basic_parse(header, &client->job.given))
        return answer(client, reply_unauthorized());
    auth_job_prepare(&client->job, users);
    if (!auth_ask(client->admin->auth, &client->job)) {
        credentials_wipe(&client->job.given);
        return answer(client, reply_too_many_logins());
    }
    client->verdict = VERDICT_WAITING;
    client_stop_clock(client); /* the wait is ours */
    MHD_suspend_connection(client->connection);
    return MHD_YES;
}

static enum MHD_Result answer_stats(struct client *client, const char *method)
{
    const struct view       *view = client->admin->view;
    const struct conf_admin *conf = &view->snap->conf->admin;
    if (!networks_have(conf->stats_allow.at, conf->stats_allow.n, &client->peer))
        return answer(client, reply_forbidden());
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(client, reply_bad_method());
    if (conf->stats_auth.n > 0 && client->verdict == VERDICT_NONE)
        return check_password(client);
    if (client->verdict == VERDICT_OUT)
        return answer(client, reply_unauthorized());
    if (client->endpoint == ENDPOINT_STATS_JSON)
        return answer(client, reply_json(render_json(view)));
    return answer(client, reply_not_found(conf));
}

enum MHD_Result client_answer(struct client *client, const char *method)
{
    const struct view *view = client->admin->view;
    switch (client->endpoint) {
    case ENDPOINT_HEALTH:
        return answer(client, reply_health(view_is_healthy(view)));
    case ENDPOINT_STATS:
    case ENDPOINT_STATS_JSON:
        return answer_stats(client, method);
    case ENDPOINT_NONE:
        break;
    }
    return answer(client, reply_not_found(&view->snap->conf->admin));
}

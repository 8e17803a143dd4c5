#include <stdlib.h>

#include "admin/act.h"
#include "admin/client.h"
#include "admin/form.h"
#include "admin/page.h"
#include "admin/render_json.h"
#include "admin/render_prom.h"
#include "admin/render_text.h"
#include "report/render.h"

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Health is what HAProxy says and no more; the rest may be read in a browser, and where the form of the page was sent
 * from is looked at. */
static bool add_headers(struct MHD_Response *response, const struct reply *reply, const struct asked *asked)
{
    bool is_page = asked->endpoint == ENDPOINT_STATS && asked->form == STATS_PAGE;
    bool ok = add_header(response, "content-type", reply->type) && add_header(response, "cache-control", "no-cache");
    if (asked->endpoint != ENDPOINT_HEALTH)
        ok = ok && add_header(response, "x-content-type-options", "nosniff") &&
             add_header(response, "referrer-policy", is_page ? "same-origin" : "no-referrer");
    for (size_t i = 0; i < REPLY_HEADERS_MAX && reply->headers[i].name != NULL; i++)
        ok = ok && add_header(response, reply->headers[i].name, reply->headers[i].value);
    if (reply->location[0] != '\0')
        ok = ok && add_header(response, "location", reply->location);
    return ok;
}

static size_t reply_len(const struct reply *reply)
{
    return reply->owned != NULL ? reply->len : strlen(reply->body);
}

static struct MHD_Response *make_response(const struct reply *reply, const struct asked *asked)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply_len(reply), (void *)(uintptr_t)reply->body,
                                        reply->owned != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(reply->owned);
        return NULL;
    }
    if (add_headers(response, reply, asked))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static void count(struct client *client, const struct reply *reply)
{
    const union MHD_ConnectionInfo *head =
        MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    uint64_t out = client->head_only ? 0 : reply_len(reply);
    bool     denied = reply->status == MHD_HTTP_UNAUTHORIZED || reply->status == MHD_HTTP_FORBIDDEN;
    client_count(client, COUNT_REQUEST_IN, client->body_len + (head != NULL ? head->header_size : 0));
    client_count(client, COUNT_RESPONSE_IN, out); /* as if a server had sent it */
    client_count(client, COUNT_RESPONSE_OUT, out);
    if (denied)
        client_count(client, COUNT_DENIED_SESSIONS, 1);
    else if (client->asked.endpoint == ENDPOINT_STATS || client->asked.endpoint == ENDPOINT_METRICS)
        client_count_session(client);
}

/* Owns what reply owns. MHD_NO, when memory is out, makes MHD end the connection. */
static enum MHD_Result answer(struct client *client, struct reply reply)
{
    count(client, &reply);
    struct MHD_Response *response = make_response(&reply, &client->asked);
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

static const char *header(const struct client *client, const char *name)
{
    return MHD_lookup_connection_value(client->connection, MHD_HEADER_KIND, name);
}

/* Only whom a password lets in may act, and only from a page of ours. */
static const char *post(struct client *client)
{
    const struct view       *view = client->admin->view;
    const struct conf_admin *conf = &view->snap->conf->admin;
    if (conf->stats_auth.n == 0 || view->health == NULL || view->engine == NULL)
        return "DENY";
    if (!act_comes_from_here(header(client, "host"), header(client, "origin"), header(client, "referer"),
                             header(client, "sec-fetch-site")))
        return "DENY";
    if (!form_may_be(header(client, "content-type")))
        return "IVAL";
    if (client->body_len > FORM_BYTES_MAX || client->body.failed)
        return "EXCD";
    return act_on_form(view, slice_of(client->body.at, client->body.len));
}

static struct reply act_on_request(struct client *client)
{
    const char *code = post(client);
    log_info(client->admin->log, "admin_post", LOG_ADDR("client", &client->peer), LOG_STR("code", code));
    return reply_see_stats(&client->admin->view->snap->conf->admin, &client->asked, code);
}

static struct reply render(const struct view *view, const struct asked *asked)
{
    struct line_filter filter = line_filter_all();
    struct text        text = {0};
    filter.up = asked->up;
    filter.no_maint = asked->no_maint;
    filter.scope = asked->scope[0] != '\0' ? asked->scope : NULL;
    switch (asked->form) {
    case STATS_CSV:
        (void)report_csv(view, &filter, &text);
        return reply_text("text/plain", &text);
    case STATS_TYPED:
        (void)report_typed(view, &filter, &text);
        return reply_text("text/plain", &text);
    case STATS_JSON:
        (void)report_json(view, &filter, &text);
        return reply_text("application/json", &text);
    case STATS_SCHEMA:
        report_json_schema(&text);
        return reply_text("application/json", &text);
    case STATS_PLAIN_JSON:
        render_json(view, &text);
        return reply_text("application/json", &text);
    case STATS_PAGE:
        break;
    }
    return reply_page(&(struct page_facts){
        .admin = view->snap->conf->admin.stats_auth.n > 0, .status = asked->status, .scope = asked->scope});
}

static struct reply render_metrics(struct client *client)
{
    struct prom_options *options = &client->asked.metrics;
    struct text          text = {0};
    options->open_metrics = prom_wants_open_metrics(header(client, "accept"));
    render_prom(client->admin->view, options, &text);
    return reply_text(prom_content_type(options), &text);
}

static struct reply show(struct client *client, const char *method)
{
    if (client->asked.endpoint == ENDPOINT_METRICS)
        return render_metrics(client);
    return strcmp(method, "POST") == 0 ? act_on_request(client) : render(client->admin->view, &client->asked);
}

/* Figures, for whom they are meant. */
static enum MHD_Result answer_stats(struct client *client, const char *method)
{
    const struct view       *view = client->admin->view;
    const struct conf_admin *conf = &view->snap->conf->admin;
    bool                     posts = strcmp(method, "POST") == 0 && client->asked.endpoint == ENDPOINT_STATS;
    if (client->health_only)
        return answer(client, reply_health_only());
    if (!networks_have(conf->stats_allow.at, conf->stats_allow.n, &client->peer))
        return answer(client, reply_forbidden());
    if (!posts && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(client, reply_bad_method());
    if (conf->stats_auth.n > 0 && client->verdict == VERDICT_NONE)
        return check_password(client);
    if (client->verdict == VERDICT_OUT)
        return answer(client, reply_unauthorized());
    return answer(client, show(client, method));
}

enum MHD_Result client_answer(struct client *client, const char *method)
{
    const struct view *view = client->admin->view;
    switch (client->asked.endpoint) {
    case ENDPOINT_HEALTH:
        return answer(client, reply_health(view_is_healthy(view)));
    case ENDPOINT_STATS:
    case ENDPOINT_METRICS:
        return answer_stats(client, method);
    case ENDPOINT_NONE:
        break;
    }
    return answer(client, reply_not_found(&view->snap->conf->admin));
}

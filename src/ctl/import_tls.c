/* TLS towards clients and towards servers. */
#include <string.h>
#include <utlist.h>

#include "ctl/import_translate.h"

/* Relative names are below ca-base or crt-base. */
static const char *file_name(struct import *im, const char *base, const char *name)
{
    bool relative = name[0] != '/' && name[0] != '@' && strncmp(name, "${", 2) != 0;
    return base != NULL && relative ? import_format(im->arena, "%s/%s", base, name) : name;
}

/* NULL for versions that are mqgate's default anyway. */
static const char *min_version(struct import *im, const struct given *given, const char *path)
{
    if (given->text == NULL)
        return NULL;
    if (strcmp(given->text, "TLSv1.2") == 0)
        return "1.2";
    if (strcmp(given->text, "TLSv1.3") == 0)
        return import_fit(im, given->line, path, "1.3");
    line_lose(im->arena, given->line, "\"%s\": mqgate speaks TLS 1.2 and later", given->text);
    return NULL;
}

static bool add_certificate(struct import *im, struct line *line, struct target_tls *tls, const char *path)
{
    const char *key = import_format(im->arena, "%s.key", path);
    if (!import_has_room(im, line, "tls.certificates", tls->chains.n) ||
        import_fit(im, line, "tls.certificates.chain", path) == NULL)
        return false;
    strings_add(im->arena, &tls->chains, path);
    strings_add(im->arena, &tls->keys, im->ops->exists(key) ? key : path);
    return true;
}

/* False: the line is lost. */
static bool add_certificates(struct import *im, struct line *line, struct target_tls *tls, const char *name)
{
    struct strings files = {0};
    const char    *path = file_name(im, im->crt_base, name);
    size_t         len = strlen(path);
    if (im->ops->list(path, im->arena, &files)) {
        for (size_t i = 0; i < files.n; i++) {
            if (!add_certificate(im, line, tls, files.at[i]))
                break;
        }
        if (files.n == 0)
            line_lose(im->arena, line, "crt %s: there is no *.pem in that directory", path);
        return files.n > 0;
    }
    if (len > 0 && path[len - 1] == '/') {
        line_lose(im->arena, line,
                  "crt %s: the directory cannot be read here; write each certificate into tls.certificates", path);
        return false;
    }
    return add_certificate(im, line, tls, path);
}

static void set_alpn(struct import *im, const struct given *alpn, struct target_tls *tls)
{
    for (const char *p = alpn->text; p != NULL && *p != '\0'; p += *p == ',') {
        size_t      len = strcspn(p, ",");
        const char *name = import_copy(im->arena, p, len);
        if (len > 0 && import_has_room(im, alpn->line, "tls.alpn", tls->alpn.n) &&
            import_fit(im, alpn->line, "tls.alpn", name) != NULL)
            strings_add(im->arena, &tls->alpn, name);
        p += len;
    }
}

static const char *fit_given(struct import *im, const struct given *given, const char *path)
{
    return given->text != NULL ? import_fit(im, given->line, path, given->text) : NULL;
}

/* A file of authorities; NULL, and the line lost, when HAProxy has it in a form that mqgate has not. */
static const char *ca_file(struct import *im, struct line *line, const char *name, const char *path)
{
    struct strings files = {0};
    const char    *file = file_name(im, im->ca_base, name);
    if (name[0] == '@' || im->ops->list(file, im->arena, &files)) {
        line_lose(im->arena, line, "%s: put the certificates of the authorities into one file", name);
        return NULL;
    }
    return import_fit(im, line, path, file);
}

/* False: clients would not be verified as they are now. */
static bool set_verify(struct import *im, struct line *line, const struct bind_params *bind, struct target_tls *tls)
{
    const char *verify = bind->verify.text;
    if (bind->ca.text != NULL)
        tls->client_ca = ca_file(im, bind->ca.line, bind->ca.text, "tls.client_ca");
    if (bind->crl.text != NULL && tls->client_ca != NULL)
        tls->crl = import_fit(im, bind->crl.line, "tls.crl", file_name(im, im->ca_base, bind->crl.text));
    else if (bind->crl.text != NULL)
        line_lose(im->arena, line, "crl-file: there is no ca-file that it belongs to");
    if (verify == NULL || strcmp(verify, "none") == 0)
        return true;
    tls->verify = import_fit(im, line, "tls.verify", verify);
    if (tls->verify != NULL && tls->client_ca != NULL && (bind->crl.text == NULL || tls->crl != NULL))
        return true;
    line_lose(im->arena, line,
              "verify %s: without the authorities nothing can be verified, and the address is left out", verify);
    return false;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_strings(const struct strings *a, const struct strings *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->at[i], b->at[i]) != 0)
            return false;
    }
    return true;
}

static bool same_tls(const struct target_tls *a, const struct target_tls *b)
{
    return same_strings(&a->chains, &b->chains) && same_strings(&a->keys, &b->keys) &&
           same_strings(&a->alpn, &b->alpn) && same(a->min_version, b->min_version) && same(a->ciphers, b->ciphers) &&
           same(a->ciphersuites, b->ciphersuites) && same(a->groups, b->groups) && same(a->client_ca, b->client_ca) &&
           same(a->verify, b->verify) && same(a->crl, b->crl) && same(a->session_tickets, b->session_tickets);
}

/* The name of the section that is like this one, which is added when there is none. NULL: there are too many. */
static const char *tls_shared(struct import *im, struct line *line, const struct target_tls *wanted, const char *name)
{
    struct target_tls *t;
    size_t             n = 0;
    LL_FOREACH (im->target.tls, t) {
        if (same_tls(t, wanted))
            return t->name;
        n++;
    }
    if (!import_has_room(im, line, "tls", n))
        return NULL;
    t = import_alloc(im->arena, 1, sizeof *t);
    *t = *wanted;
    t->name = import_name(im, &im->tls_names, name);
    LL_APPEND(im->target.tls, t);
    return t->name;
}

const char *import_tls(struct import *im, struct line *line, const struct bind_params *bind, const char *name)
{
    struct target_tls tls = {.session_tickets = bind->no_tickets.text != NULL ? "false" : NULL};
    bool              good = true;
    for (size_t i = 0; i < bind->crts.n; i++)
        good = add_certificates(im, line, &tls, bind->crts.at[i]) && good;
    if (bind->crts.n == 0)
        line_lose(im->arena, line, "ssl without a crt that could be carried over: the address is left out");
    if (tls.chains.n == 0)
        return NULL;
    tls.min_version = min_version(im, &bind->min_version, "tls.min_version");
    tls.ciphers = fit_given(im, &bind->ciphers, "tls.ciphers");
    tls.ciphersuites = fit_given(im, &bind->ciphersuites, "tls.ciphersuites");
    tls.groups = fit_given(im, &bind->groups, "tls.groups");
    set_alpn(im, &bind->alpn, &tls);
    return set_verify(im, line, bind, &tls) && good ? tls_shared(im, line, &tls, name) : NULL;
}

/* "str(name)" is a name; everything else is made of the session. */
static const char *fixed_sni(struct import *im, const struct given *sni)
{
    size_t len = sni->text != NULL ? strlen(sni->text) : 0;
    if (len == 0)
        return NULL;
    if (len > 5 && strncmp(sni->text, "str(", 4) == 0 && sni->text[len - 1] == ')')
        return import_fit(im, sni->line, "tls_client.sni", import_copy(im->arena, sni->text + 4, len - 5));
    line_lose(im->arena, sni->line, "sni %s: mqgate asks for one name, tls_client.sni; write it", sni->text);
    return NULL;
}

static void client_names(struct import *im, const struct server_params *server, struct target_tls_client *tls)
{
    const struct given *host = &server->verify_host;
    tls->sni = fixed_sni(im, &server->sni);
    if (host->text != NULL && tls->sni == NULL)
        tls->sni = import_fit(im, host->line, "tls_client.sni", host->text);
    else if (host->text != NULL && strcmp(host->text, tls->sni) != 0)
        line_lose(im->arena, host->line, "verifyhost: mqgate looks for the name that it asks for, tls_client.sni");
}

static bool same_client(const struct target_tls_client *a, const struct target_tls_client *b)
{
    return same(a->ca, b->ca) && same(a->verify, b->verify) && same(a->sni, b->sni) && same(a->chain, b->chain) &&
           same(a->min_version, b->min_version);
}

static const char *client_shared(struct import *im, struct line *line, const struct target_tls_client *wanted,
                                 const char *name)
{
    struct target_tls_client *t;
    size_t                    n = 0;
    LL_FOREACH (im->target.tls_clients, t) {
        if (same_client(t, wanted))
            return t->name;
        n++;
    }
    if (!import_has_room(im, line, "tls_client", n))
        return NULL;
    t = import_alloc(im->arena, 1, sizeof *t);
    *t = *wanted;
    t->name = import_name(im, &im->tls_client_names, name);
    LL_APPEND(im->target.tls_clients, t);
    return t->name;
}

const char *import_tls_client(struct import *im, struct line *line, const struct server_params *server,
                              const char *name)
{
    struct target_tls_client tls = {0};
    bool                     verified = server->verify.text == NULL || strcmp(server->verify.text, "none") != 0;
    if (!verified)
        tls.verify = "none";
    if (server->ca.text != NULL && strcmp(server->ca.text, "@system-ca") != 0) {
        tls.ca = ca_file(im, server->ca.line, server->ca.text, "tls_client.ca");
        if (tls.ca == NULL && verified)
            return NULL;
    }
    client_names(im, server, &tls);
    if (verified && server->verify_host.text == NULL && server->sni.text == NULL)
        line_note(im->arena, line,
                  "mqgate looks for the server's name or address in its certificate; tls_client.sni "
                  "names another");
    if (server->crt.text != NULL) {
        const char *file = file_name(im, im->crt_base, server->crt.text);
        const char *key = import_format(im->arena, "%s.key", file);
        tls.chain = import_fit(im, server->crt.line, "tls_client.chain", file);
        tls.key = tls.chain != NULL && im->ops->exists(key) ? key : tls.chain;
    }
    tls.min_version = min_version(im, &server->min_version, "tls_client.min_version");
    return client_shared(im, line, &tls, name);
}

/* The words behind the address of a bind or server line. */
#include <stddef.h>
#include <string.h>

#include "ctl/import_translate.h"

#define BIND(field)   offsetof(struct bind_params, field)
#define SERVER(field) offsetof(struct server_params, field)

#define ONLY_LEAST  "mqgate sets the oldest version of TLS, not the newest"
#define KERNEL      "mqgate does not set this option of the socket"
#define UNIX_SOCKET "it is for Unix sockets; mqgate listens on IP addresses"
#define ON          "yes"

const struct param bind_table[] = {
    {"ssl", 0, PARAM_CONST, BIND(ssl), ON},
    {"crt", 1, PARAM_ADD, BIND(crts), NULL},
    {"default-crt", 1, PARAM_ADD, BIND(crts), NULL},
    {"crt-list", 1, PARAM_LOSE, 0, "write each certificate of the list into tls.certificates"},
    {"ca-file", 1, PARAM_VALUE, BIND(ca), NULL},
    {"verify", 1, PARAM_VALUE, BIND(verify), NULL},
    {"crl-file", 1, PARAM_VALUE, BIND(crl), NULL},
    {"alpn", 1, PARAM_VALUE, BIND(alpn), NULL},
    {"no-alpn", 0, PARAM_CLEAR, BIND(alpn), NULL},
    {"ciphers", 1, PARAM_VALUE, BIND(ciphers), NULL},
    {"ciphersuites", 1, PARAM_VALUE, BIND(ciphersuites), NULL},
    {"curves", 1, PARAM_VALUE, BIND(groups), NULL},
    {"ecdhe", 1, PARAM_VALUE, BIND(groups), NULL},
    {"ssl-min-ver", 1, PARAM_VALUE, BIND(min_version), NULL},
    {"ssl-max-ver", 1, PARAM_LOSE, 0, ONLY_LEAST},
    {"no-sslv3", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv10", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv11", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv12", 0, PARAM_CONST, BIND(min_version), "TLSv1.3"},
    {"no-tlsv13", 0, PARAM_LOSE, 0, ONLY_LEAST},
    {"force-tlsv12", 0, PARAM_LOSE, 0, ONLY_LEAST},
    {"force-tlsv13", 0, PARAM_CONST, BIND(min_version), "TLSv1.3"},
    {"force-sslv3", 0, PARAM_LOSE, 0, "mqgate speaks TLS 1.2 and later"},
    {"force-tlsv10", 0, PARAM_LOSE, 0, "mqgate speaks TLS 1.2 and later"},
    {"force-tlsv11", 0, PARAM_LOSE, 0, "mqgate speaks TLS 1.2 and later"},
    {"no-tls-tickets", 0, PARAM_CONST, BIND(no_tickets), ON},
    {"tls-tickets", 0, PARAM_CLEAR, BIND(no_tickets), NULL},
    {"tls-ticket-keys", 1, PARAM_LOSE, 0, "mqgate makes the keys of its session tickets, and rotates them, itself"},
    {"strict-sni", 0, PARAM_LOSE, 0, "mqgate shows its first certificate to who asks for another name"},
    {"prefer-client-ciphers", 0, PARAM_LOSE, 0, "mqgate has no option for whose order of ciphers counts"},
    {"no-prefer-client-ciphers", 0, PARAM_IGNORE, 0, NULL},
    {"npn", 1, PARAM_LOSE, 0, "ALPN has taken its place"},
    {"allow-0rtt", 0, PARAM_LOSE, 0, "early data can be replayed; mqgate does not take any"},
    {"no-ca-names", 0, PARAM_LOSE, 0, "mqgate tells clients the names of client_ca"},
    {"ca-verify-file", 1, PARAM_LOSE, 0, "put its certificates into the file of client_ca"},
    {"ca-sign-file", 1, PARAM_LOSE, 0, "mqgate signs no certificates"},
    {"ca-sign-pass", 1, PARAM_LOSE, 0, "mqgate signs no certificates"},
    {"generate-certificates", 0, PARAM_LOSE, 0, "mqgate signs no certificates"},
    {"ca-ignore-err", 1, PARAM_LOSE, 0, "mqgate ignores no fault of a certificate"},
    {"crt-ignore-err", 1, PARAM_LOSE, 0, "mqgate ignores no fault of a certificate"},
    {"ocsp-update", 1, PARAM_LOSE, 0, "mqgate does not fetch OCSP answers"},
    {"sigalgs", 1, PARAM_LOSE, 0, "OpenSSL's own choice holds"},
    {"client-sigalgs", 1, PARAM_LOSE, 0, "OpenSSL's own choice holds"},
    {"ktls", 1, PARAM_LOSE, 0, "mqgate has no option for it"},
    {"accept-proxy", 0, PARAM_CONST, BIND(accept_proxy), ON},
    {"accept-netscaler-cip", 1, PARAM_LOSE, 0, "mqgate knows the PROXY header, versions 1 and 2"},
    {"maxconn", 1, PARAM_VALUE, BIND(max_connections), NULL},
    {"backlog", 1, PARAM_VALUE, BIND(backlog), NULL},
    {"name", 1, PARAM_VALUE, BIND(name), NULL},
    {"v4v6", 0, PARAM_CONST, BIND(both_families), ON},
    {"v6only", 0, PARAM_CONST, BIND(one_family), ON},
    {"tcp-ut", 1, PARAM_VALUE, BIND(unacked), NULL},
    {"id", 1, PARAM_IGNORE, 0, NULL},
    {"label", 1, PARAM_IGNORE, 0, NULL},
    {"guid-prefix", 1, PARAM_IGNORE, 0, NULL},
    {"shards", 1, PARAM_IGNORE, 0, NULL},
    {"nice", 1, PARAM_IGNORE, 0, NULL},
    {"process", 1, PARAM_LOSE, 0, "every worker listens on every address"},
    {"thread", 1, PARAM_LOSE, 0, "every worker listens on every address"},
    {"tfo", 0, PARAM_LOSE, 0, "mqgate has no TCP Fast Open"},
    {"defer-accept", 0, PARAM_LOSE, 0, KERNEL "; timeouts.connect_packet closes clients that say nothing"},
    {"transparent", 0, PARAM_LOSE, 0, KERNEL "; bind an address that the machine has"},
    {"interface", 1, PARAM_LOSE, 0, "bind the address of the interface"},
    {"namespace", 1, PARAM_LOSE, 0, "start mqgate inside the network namespace"},
    {"mss", 1, PARAM_LOSE, 0, KERNEL},
    {"cc", 1, PARAM_LOSE, 0, KERNEL "; net.ipv4.tcp_congestion_control sets it"},
    {"tcp-ss", 1, PARAM_LOSE, 0, KERNEL},
    {"tcp-md5sig", 1, PARAM_LOSE, 0, KERNEL},
    {"proto", 1, PARAM_LOSE, 0, "the listener's protocol says what is spoken"},
    {"mode", 1, PARAM_LOSE, 0, UNIX_SOCKET},
    {"user", 1, PARAM_LOSE, 0, UNIX_SOCKET},
    {"group", 1, PARAM_LOSE, 0, UNIX_SOCKET},
    {"uid", 1, PARAM_LOSE, 0, UNIX_SOCKET},
    {"gid", 1, PARAM_LOSE, 0, UNIX_SOCKET},
    {NULL, 0, PARAM_IGNORE, 0, NULL}};

#define CHECK_FACTS "a check goes to the server as its sessions do, or to check.address in plain"
#define NO_PASSIVE  "only checks tell whether a server is up"
#define NO_STICKY   "mqgate keeps no table of who went where"
#define NO_DNS      "mqgate looks names up as its resolver section says"

const struct param server_table[] = {
    {"check", 0, PARAM_CONST, SERVER(check), ON},
    {"no-check", 0, PARAM_CLEAR, SERVER(check), NULL},
    {"inter", 1, PARAM_VALUE, SERVER(interval), NULL},
    {"fastinter", 1, PARAM_VALUE, SERVER(fast_interval), NULL},
    {"downinter", 1, PARAM_LOSE, 0, "mqgate asks a server that is down at check.interval too"},
    {"rise", 1, PARAM_VALUE, SERVER(rise), NULL},
    {"fall", 1, PARAM_VALUE, SERVER(fall), NULL},
    {"port", 1, PARAM_VALUE, SERVER(check_port), NULL},
    {"addr", 1, PARAM_VALUE, SERVER(check_address), NULL},
    {"check-send-proxy", 0, PARAM_IGNORE, 0, NULL},
    {"no-check-send-proxy", 0, PARAM_IGNORE, 0, NULL},
    {"check-ssl", 0, PARAM_IGNORE, 0, NULL},
    {"no-check-ssl", 0, PARAM_LOSE, 0, CHECK_FACTS},
    {"check-sni", 1, PARAM_LOSE, 0, CHECK_FACTS},
    {"check-alpn", 1, PARAM_LOSE, 0, CHECK_FACTS},
    {"check-proto", 1, PARAM_LOSE, 0, CHECK_FACTS},
    {"check-via-socks4", 0, PARAM_LOSE, 0, "mqgate knows no SOCKS"},
    {"agent-check", 0, PARAM_LOSE, 0, "mqgate asks no agent"},
    {"agent-port", 1, PARAM_LOSE, 0, "mqgate asks no agent"},
    {"agent-addr", 1, PARAM_LOSE, 0, "mqgate asks no agent"},
    {"agent-inter", 1, PARAM_LOSE, 0, "mqgate asks no agent"},
    {"agent-send", 1, PARAM_LOSE, 0, "mqgate asks no agent"},
    {"no-agent-check", 0, PARAM_IGNORE, 0, NULL},
    {"send-proxy", 0, PARAM_CONST, SERVER(send_proxy), "v1"},
    {"send-proxy-v2", 0, PARAM_CONST, SERVER(send_proxy), "v2"},
    {"send-proxy-v2-ssl", 0, PARAM_CONST, SERVER(send_proxy), "v2"},
    {"send-proxy-v2-ssl-cn", 0, PARAM_CONST, SERVER(send_proxy), "v2"},
    {"no-send-proxy", 0, PARAM_CLEAR, SERVER(send_proxy), NULL},
    {"no-send-proxy-v2", 0, PARAM_CLEAR, SERVER(send_proxy), NULL},
    {"no-send-proxy-v2-ssl", 0, PARAM_CLEAR, SERVER(send_proxy), NULL},
    {"no-send-proxy-v2-ssl-cn", 0, PARAM_CLEAR, SERVER(send_proxy), NULL},
    {"weight", 1, PARAM_VALUE, SERVER(weight), NULL},
    {"backup", 0, PARAM_CONST, SERVER(backup), "true"},
    {"no-backup", 0, PARAM_CLEAR, SERVER(backup), NULL},
    {"maxconn", 1, PARAM_VALUE, SERVER(max_connections), NULL},
    {"minconn", 1, PARAM_LOSE, 0, "max_connections of a server does not move"},
    {"maxqueue", 1, PARAM_LOSE, 0, "timeouts.queue bounds how long clients wait, not how many"},
    {"disabled", 0, PARAM_CONST, SERVER(disabled), ON},
    {"enabled", 0, PARAM_CLEAR, SERVER(disabled), NULL},
    {"ssl", 0, PARAM_CONST, SERVER(ssl), ON},
    {"no-ssl", 0, PARAM_CLEAR, SERVER(ssl), NULL},
    {"verify", 1, PARAM_VALUE, SERVER(verify), NULL},
    {"no-verify", 0, PARAM_CONST, SERVER(verify), "none"},
    {"verifyhost", 1, PARAM_VALUE, SERVER(verify_host), NULL},
    {"no-verifyhost", 0, PARAM_CLEAR, SERVER(verify_host), NULL},
    {"ca-file", 1, PARAM_VALUE, SERVER(ca), NULL},
    {"crt", 1, PARAM_VALUE, SERVER(crt), NULL},
    {"sni", 1, PARAM_VALUE, SERVER(sni), NULL},
    {"crl-file", 1, PARAM_LOSE, 0, "towards servers mqgate looks at no revocation list"},
    {"ssl-min-ver", 1, PARAM_VALUE, SERVER(min_version), NULL},
    {"ssl-max-ver", 1, PARAM_LOSE, 0, ONLY_LEAST},
    {"no-sslv3", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv10", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv11", 0, PARAM_IGNORE, 0, NULL},
    {"no-tlsv12", 0, PARAM_CONST, SERVER(min_version), "TLSv1.3"},
    {"no-tlsv13", 0, PARAM_LOSE, 0, ONLY_LEAST},
    {"force-tlsv12", 0, PARAM_LOSE, 0, ONLY_LEAST},
    {"force-tlsv13", 0, PARAM_CONST, SERVER(min_version), "TLSv1.3"},
    {"ciphers", 1, PARAM_LOSE, 0, "towards servers OpenSSL's own choice of ciphers holds"},
    {"ciphersuites", 1, PARAM_LOSE, 0, "towards servers OpenSSL's own choice of ciphers holds"},
    {"curves", 1, PARAM_LOSE, 0, "towards servers OpenSSL's own choice of groups holds"},
    {"alpn", 1, PARAM_LOSE, 0, "towards servers mqgate offers no protocol names"},
    {"npn", 1, PARAM_LOSE, 0, "towards servers mqgate offers no protocol names"},
    {"allow-0rtt", 0, PARAM_LOSE, 0, "early data can be replayed; mqgate sends none"},
    {"no-tls-tickets", 0, PARAM_IGNORE, 0, NULL},
    {"tls-tickets", 0, PARAM_IGNORE, 0, NULL},
    {"ssl-reuse", 0, PARAM_IGNORE, 0, NULL},
    {"no-ssl-reuse", 0, PARAM_IGNORE, 0, NULL},
    {"set-proxy-v2-tlv-fmt", 1, PARAM_LOSE, 0, "a PROXY header carries what mqgate.conf(5) says of send_proxy"},
    {"on-marked-down", 1, PARAM_LOSE, 0, "sessions of a server that goes down live until they end"},
    {"on-marked-up", 1, PARAM_LOSE, 0, "sessions of a backup server live until they end"},
    {"observe", 1, PARAM_LOSE, 0, NO_PASSIVE},
    {"error-limit", 1, PARAM_LOSE, 0, NO_PASSIVE},
    {"on-error", 1, PARAM_LOSE, 0, NO_PASSIVE},
    {"track", 1, PARAM_LOSE, 0, "each backend has checks of its own"},
    {"slowstart", 1, PARAM_LOSE, 0, "a server that comes up has its whole share at once"},
    {"init-state", 1, PARAM_LOSE, 0, "a server may be tried until its first check has answered"},
    {"cookie", 1, PARAM_LOSE, 0, "cookies are for HTTP"},
    {"redir", 1, PARAM_LOSE, 0, "redirects are for HTTP"},
    {"stick", 0, PARAM_LOSE, 0, NO_STICKY},
    {"non-stick", 0, PARAM_LOSE, 0, NO_STICKY},
    {"resolvers", 1, PARAM_LOSE, 0, NO_DNS},
    {"resolve-prefer", 1, PARAM_LOSE, 0, NO_DNS},
    {"resolve-net", 1, PARAM_LOSE, 0, NO_DNS},
    {"resolve-opts", 1, PARAM_LOSE, 0, NO_DNS},
    {"init-addr", 1, PARAM_LOSE, 0, NO_DNS},
    {"socks4", 1, PARAM_LOSE, 0, "mqgate knows no SOCKS"},
    {"namespace", 1, PARAM_LOSE, 0, "start mqgate inside the network namespace"},
    {"tcp-ut", 1, PARAM_LOSE, 0, "timeouts.unacked of the listener holds for both sides"},
    {"tfo", 0, PARAM_LOSE, 0, "mqgate has no TCP Fast Open"},
    {"no-tfo", 0, PARAM_IGNORE, 0, NULL},
    {"id", 1, PARAM_IGNORE, 0, NULL},
    {"guid", 1, PARAM_IGNORE, 0, NULL},
    {"pool-max-conn", 1, PARAM_IGNORE, 0, NULL},
    {"pool-low-conn", 1, PARAM_IGNORE, 0, NULL},
    {"pool-purge-delay", 1, PARAM_IGNORE, 0, NULL},
    {"max-reuse", 1, PARAM_IGNORE, 0, NULL},
    {"proto", 1, PARAM_LOSE, 0, "bytes are passed on as they come"},
    {"ws", 1, PARAM_IGNORE, 0, NULL},
    {NULL, 0, PARAM_IGNORE, 0, NULL}};

static void given_set(void *field, const char *text, struct line *line)
{
    struct given given = {text, line};
    memcpy(field, &given, sizeof given);
}

static void param_take(struct import *im, struct line *line, size_t n, const struct param *param, void *at)
{
    void *field = (char *)at + param->offset;
    switch (param->kind) {
    case PARAM_VALUE:
        given_set(field, line_word(line, n + 1), line);
        break;
    case PARAM_ADD:
        strings_add(im->arena, field, line_word(line, n + 1));
        break;
    case PARAM_CONST:
        given_set(field, param->text, line);
        break;
    case PARAM_CLEAR:
        given_set(field, NULL, NULL);
        break;
    case PARAM_LOSE:
        line_lose(im->arena, line, "%s: %s", param->name, param->text);
        break;
    case PARAM_IGNORE:
        break;
    }
}

/* "source ADDRESS[:PORT] [usesrc ...] [interface ...]": returns the words that it takes. */
static size_t source_take(struct import *im, struct line *line, size_t n, struct server_params *server)
{
    given_set(&server->source, line_word(line, n + 1), line);
    for (size_t i = n + 2; i < line->words.n; i += 2) {
        const char *word = line_word(line, i);
        if (strcmp(word, "usesrc") != 0 && strcmp(word, "interface") != 0)
            return i - n;
        line_lose(im->arena, line, "%s: mqgate connects from an address of this machine; source names it", word);
    }
    return line->words.n - n;
}

static void proxy_options_take(struct import *im, struct line *line, const char *options)
{
    static const char *const carried[] = {"ssl", "cert-cn", "ssl-cipher", "authority", "unique-id"};
    for (const char *p = options; *p != '\0'; p += p[0] == ',') {
        size_t len = strcspn(p, ","), i = 0;
        while (i < ARRAY_LEN(carried) && !(strlen(carried[i]) == len && strncmp(carried[i], p, len) == 0))
            i++;
        if (i == ARRAY_LEN(carried) && len > 0)
            line_lose(im->arena, line, "proxy-v2-options %.*s: mqgate's PROXY header does not carry it", (int)len, p);
        p += len;
    }
}

/* Parameters that a table cannot say. Returns the words that it takes, 0 when it is none of them. */
static size_t special_take(struct import *im, struct line *line, size_t n, const struct param *table, void *at)
{
    const char *word = line_word(line, n);
    if (table != server_table)
        return 0;
    if (strcmp(word, "source") == 0)
        return source_take(im, line, n, at);
    if (strcmp(word, "proxy-v2-options") == 0) {
        proxy_options_take(im, line, line_word(line, n + 1));
        return 2;
    }
    if (strncmp(word, "set-proxy-v2-tlv-fmt(", 21) == 0) {
        line_lose(im->arena, line, "set-proxy-v2-tlv-fmt: mqgate's PROXY header has no fields of one's own");
        return 2;
    }
    return 0;
}

void params_read(struct import *im, struct line *line, size_t n, const struct param *table, void *at)
{
    while (n < line->words.n) {
        const char         *word = line_word(line, n);
        const struct param *param = table;
        size_t              special = special_take(im, line, n, table, at);
        n += special;
        if (special > 0)
            continue;
        while (param->name != NULL && strcmp(param->name, word) != 0)
            param++;
        if (param->name == NULL) {
            line_lose(im->arena, line, "%s: unknown, and what is behind it was not read", word);
            return;
        }
        if (n + param->args >= line->words.n) {
            line_lose(im->arena, line, "%s: its value is missing", word);
            return;
        }
        param_take(im, line, n, param, at);
        n += 1 + param->args;
    }
}

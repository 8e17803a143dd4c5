#include "conf/syntax.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "conf/servers.h"

#define DIGITS     "0123456789"
#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define CRYPT_TEXT DIGITS LETTERS "./$,=+-"

static enum value_result ok_if(bool good)
{
    return good ? VALUE_OK : VALUE_BAD;
}

static bool is_made_of(const char *text, const char *set)
{
    return text[strspn(text, set)] == '\0';
}

enum value_result syntax_name(const char *text)
{
    size_t len = strlen(text);
    return ok_if(len >= 1 && len <= 64 && is_made_of(text, DIGITS LETTERS "-_.:"));
}

enum value_result syntax_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F)
            return VALUE_BAD;
    }
    return VALUE_OK;
}

static bool address_with_port(const char *text)
{
    struct addr a;
    return addr_parse(text, &a) && addr_port(&a) != 0;
}

enum value_result syntax_log_target(const char *text)
{
    static const char udp[] = "syslog:udp://", local[] = "syslog:";
    if (strcmp(text, "stdout") == 0 || strcmp(text, "stderr") == 0)
        return VALUE_OK;
    if (strncmp(text, udp, sizeof udp - 1) == 0)
        return ok_if(address_with_port(text + sizeof udp - 1));
    if (strncmp(text, local, sizeof local - 1) != 0)
        return VALUE_BAD;
    const char *path = text + sizeof local - 1;
    return ok_if(path[0] == '/' && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path);
}

enum value_result syntax_request_target(const char *text)
{
    if (text[0] != '/')
        return VALUE_BAD;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7F || *text == '#')
            return VALUE_BAD;
    }
    return VALUE_OK;
}

enum value_result syntax_uri_path(const char *text)
{
    return strchr(text, '?') != NULL ? VALUE_BAD : syntax_request_target(text);
}

/* A hash that is no output of crypt(3) would lock its user out, and a password in clear would be one in a file. */
static bool is_crypt_hash(const char *hash)
{
    static const char *const methods[] = {"$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$sha1$"};
    const char              *digest = strrchr(hash, '$');
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        size_t len = strlen(methods[i]);
        /* 22 characters are MD5's 128 bits, the shortest of them all. */
        if (strncmp(hash, methods[i], len) == 0)
            return digest >= hash + len && strlen(digest + 1) >= 22 && is_made_of(hash, CRYPT_TEXT);
    }
    return false;
}

enum value_result syntax_credentials(const char *text)
{
    const char *colon = strchr(text, ':');
    return ok_if(colon != NULL && colon != text && is_crypt_hash(colon + 1) && syntax_printable(text) == VALUE_OK);
}

enum value_result syntax_protocol_name(const char *text)
{
    size_t len = strlen(text);
    return ok_if(len >= 1 && len <= 255); /* RFC 7301, section 3.1 */
}

/* RFC 1035, section 2.3.4; an underscore is for services, and some hosts have one. The name ends with none of these. */
static bool is_dns_name(const char *name, size_t len)
{
    if (len > 0 && name[len - 1] == '.')
        len--;
    for (size_t at = 0; len <= 253;) {
        size_t label = strspn(name + at, DIGITS LETTERS "-_");
        if (label == 0 || label > 63)
            return false;
        at += label;
        if (at == len)
            return true;
        if (name[at++] != '.')
            return false;
    }
    return false;
}

/* Without any letter it is a mistyped IPv4 address. */
static bool is_host_and_port(const char *text)
{
    const char *colon = strchr(text, ':');
    size_t      host = colon != NULL ? (size_t)(colon - text) : 0;
    char        loopback[32];
    if (host == 0 || !is_dns_name(text, host) || strcspn(text, LETTERS) >= host)
        return false;
    (void)snprintf(loopback, sizeof loopback, "127.0.0.1%s", colon);
    return strlen(colon) <= 6 && address_with_port(loopback);
}

enum value_result syntax_server_address(const char *text)
{
    if (strncmp(text, SERVERS_SRV_PREFIX, sizeof SERVERS_SRV_PREFIX - 1) == 0 && strchr(text + 4, ':') == NULL)
        return ok_if(is_dns_name(text + 4, strlen(text + 4)));
    return ok_if(address_with_port(text) || is_host_and_port(text));
}

enum value_result syntax_percent(const char *text)
{
    size_t digits = strspn(text, DIGITS);
    return ok_if(strcmp(text + digits, "%") == 0 && ((digits >= 1 && digits <= 2) || strcmp(text, "100%") == 0));
}

enum value_result syntax_file_mode(const char *text)
{
    return ok_if(strlen(text) == 4 && text[0] == '0' && is_made_of(text, "01234567"));
}

enum value_result syntax_mqtt_version(const char *text)
{
    return ok_if(strcmp(text, "3.1") == 0 || strcmp(text, "3.1.1") == 0 || strcmp(text, "5") == 0);
}

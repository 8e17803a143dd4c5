/* One entry of tls, and one of tls_client. */
#include "conf/syntax.h"
#include "conf/table.h"
#include "conf/units.h"

#define FILE_ALLOWED "the path of a file"
#define TEXT_ALLOWED "printable text"

static const struct choice tls_versions[] = {{"1.2", CONF_TLS_1_2}, {"1.3", CONF_TLS_1_3}, {NULL, 0}};

static const struct choice server_verifies[] = {
    {"none", VERIFY_NONE}, {"optional", VERIFY_OPTIONAL}, {"required", VERIFY_REQUIRED}, {NULL, 0}};

static const struct choice client_verifies[] = {{"none", VERIFY_NONE}, {"required", VERIFY_REQUIRED}, {NULL, 0}};

static enum value_result file_name(const char *text)
{
    return text[0] == '\0' ? VALUE_BAD : syntax_printable(text);
}

#define AT(field) .offset = offsetof(struct conf_certificate, field)

static const struct option certificate_options[] = {
    {"chain", OPTION_STRING, AT(chain), .required = true, .max = PATH_LEN, .check = file_name, .allowed = FILE_ALLOWED,
     .doc = "A PEM file with the certificate first and the intermediate certificates behind it."},
    {"key", OPTION_STRING, AT(key), .required = true, .max = PATH_LEN, .check = file_name, .allowed = FILE_ALLOWED,
     .doc = "A PEM file with the certificate's private key, without a passphrase."},
    {0}};

static const struct section certificate_section = {certificate_options, NULL, sizeof(struct conf_certificate)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_tls, field)

static const struct option tls_options[] = {
    {"name", OPTION_STRING, AT(name), .required = true, .max = 64, .check = syntax_name, .allowed = SYNTAX_NAME_ALLOWED,
     .doc = "The name that listeners use; no two tls sections have the same."},
    {"certificates", OPTION_LIST, AT(certificates), .required = true, .min = 1, .max = 64,
     .section = &certificate_section,
     .doc = "The certificates to show. Of several, the one is chosen whose names match the server name that the "
            "client asks for (SNI), wildcards included; the first is for those that ask for none or another. An "
            "ECDSA and an RSA certificate for one name may stand side by side."},
    {"min_version", OPTION_ENUM, AT(min_version), .choices = tls_versions, .def = "1.2",
     .doc = "The oldest version of TLS that is spoken."},
    {"ciphers", OPTION_STRING, AT(ciphers), .max = 4095, .def = "", .check = syntax_printable, .allowed = TEXT_ALLOWED,
     .doc = "The cipher list for TLS 1.2 in OpenSSL's syntax, ciphers(1). \"\": authenticated ciphers with forward "
            "secrecy only, AES-128 first."},
    {"ciphersuites", OPTION_STRING, AT(ciphersuites), .max = 4095, .def = "", .check = syntax_printable,
     .allowed = TEXT_ALLOWED,
     .doc = "The cipher suites for TLS 1.3, separated by colons, the preferred first. "
            "\"\": AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305."},
    {"groups", OPTION_STRING, AT(groups), .max = 1023, .def = "X25519:P-256", .check = syntax_printable,
     .allowed = TEXT_ALLOWED, .doc = "The groups for key exchange, the preferred first, separated by colons."},
    {"alpn", OPTION_STRINGS, AT(alpn), .min = 0, .max = 16, .def = "", .check = syntax_protocol_name,
     .allowed = "a protocol name of 1 to 255 bytes such as \"mqtt\"",
     .doc = "Protocol names to choose from when the client offers some (ALPN), the preferred first. Empty: the offer "
            "is not answered."},
    {"client_ca", OPTION_STRING, AT(client_ca), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = FILE_ALLOWED ", or \"\"",
     .doc = "A PEM file with the certificates of the authorities that client certificates must come from. Needed for "
            "verify and crl."},
    {"verify", OPTION_ENUM, AT(verify), .choices = server_verifies, .def = "none",
     .doc = "Client certificates. \"none\": not asked for. \"optional\": asked for; one that is shown must be good. "
            "\"required\": a good one must be shown."},
    {"crl", OPTION_STRING, AT(crl), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = FILE_ALLOWED ", or \"\"",
     .doc = "A PEM file with certificate revocation lists of those authorities. \"\": revocation is not looked at."},
    {"session_tickets", OPTION_BOOL, AT(session_tickets), .def = "true",
     .doc = "Whether clients get tickets to resume their TLS session with. The keys are shared by all workers and "
            "rotated."},
    {"detach", OPTION_BOOL, AT(detach), .def = "true",
     .doc = "Whether OpenSSL's connection object is freed after the handshake, which makes an idle session small. "
            "Sessions of cipher suites other than AES-GCM and ChaCha20-Poly1305 keep it, and those for which memory is "
            "out; "
            "\"show tls\" counts them."},
    {0}};

static bool verify_has_ca(const void *section)
{
    const struct conf_tls *tls = section;
    return tls->verify == VERIFY_NONE || tls->client_ca[0] != '\0';
}

static bool crl_has_ca(const void *section)
{
    const struct conf_tls *tls = section;
    return tls->crl[0] == '\0' || tls->client_ca[0] != '\0';
}

static const struct rule tls_rules[] = {
    {"verify", verify_has_ca, "client certificates are asked for, but there is no client_ca; write one, or \"none\""},
    {"crl", crl_has_ca, "found without client_ca; write the authorities too, or no crl"},
    {0}};

const struct section conf_section_tls = {tls_options, tls_rules, sizeof(struct conf_tls)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_tls_client, field)

static const struct option tls_client_options[] = {
    {"name", OPTION_STRING, AT(name), .required = true, .max = 64, .check = syntax_name, .allowed = SYNTAX_NAME_ALLOWED,
     .doc = "The name that servers use; no two tls_client sections have the same."},
    {"ca", OPTION_STRING, AT(ca), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = FILE_ALLOWED ", or \"\"",
     .doc = "A PEM file with the authorities that the server's certificate must come from. \"\": the system's."},
    {"verify", OPTION_ENUM, AT(verify), .choices = client_verifies, .def = "required",
     .doc = "Whether the server's certificate must be good and bear the server's name. \"none\" takes any "
            "certificate, and must be written to be had."},
    {"sni", OPTION_STRING, AT(sni), .max = 255, .def = "", .check = syntax_printable, .allowed = "a host name, or \"\"",
     .doc = "The server name to ask for, and to find in the certificate. \"\": the server's host name or address."},
    {"chain", OPTION_STRING, AT(chain), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = FILE_ALLOWED ", or \"\"",
     .doc = "A PEM file with a certificate to show to the server, intermediates behind it. \"\": none is shown."},
    {"key", OPTION_STRING, AT(key), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = FILE_ALLOWED ", or \"\"", .doc = "A PEM file with the private key of chain."},
    {"min_version", OPTION_ENUM, AT(min_version), .choices = tls_versions, .def = "1.2",
     .doc = "The oldest version of TLS that is spoken."},
    {0}};

static bool chain_has_key(const void *section)
{
    const struct conf_tls_client *tls = section;
    return tls->chain[0] == '\0' || tls->key[0] != '\0';
}

static bool key_has_chain(const void *section)
{
    const struct conf_tls_client *tls = section;
    return tls->key[0] == '\0' || tls->chain[0] != '\0';
}

static const struct rule tls_client_rules[] = {{"chain", chain_has_key, "found without key; write both, or neither"},
                                               {"key", key_has_chain, "found without chain; write both, or neither"},
                                               {0}};

const struct section conf_section_tls_client = {tls_client_options, tls_client_rules, sizeof(struct conf_tls_client)};

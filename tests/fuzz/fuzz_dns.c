#include <string.h>

#include "fuzz.h"
#include "proto/dns.h"

static void check_host(const char *host)
{
    size_t len = strlen(host);
    FUZZ_CHECK(len > 0 && len <= 253 && host[0] != '.' && host[len - 1] != '.' && strstr(host, "..") == NULL);
    FUZZ_CHECK(strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_answer answer;
    if (!dns_parse(slice_of(data, size), &answer))
        return 0;
    FUZZ_CHECK(answer.n_services <= DNS_SERVICES_MAX && answer.n_addresses <= DNS_ADDRESSES_MAX);
    FUZZ_CHECK(answer.ttl_s <= INT32_MAX);
    for (size_t i = 0; i < answer.n_services; i++) {
        FUZZ_CHECK(answer.services[i].port != 0);
        check_host(answer.services[i].host);
    }
    for (size_t i = 0; i < answer.n_addresses; i++) {
        FUZZ_CHECK(addr_is_set(&answer.addresses[i].at) && addr_port(&answer.addresses[i].at) == 0);
        check_host(answer.addresses[i].host);
    }
    return 0;
}

/* tests/support/import_ops.h: a system that always says the same, for what ctl/import_convert.h asks of it. */
#ifndef MQGATE_TESTS_IMPORT_OPS_H
#define MQGATE_TESTS_IMPORT_OPS_H

#include "ctl/import_convert.h"

/* Host names that begin with "known" have the address 192.0.2.7; "/certs" is a directory with a.pem and b.pem,
 * "/empty" one without; "/own.pem.key" exists; every password has the hash IMPORT_TEST_HASH, but "none" has not. */
extern const struct import_ops import_test_ops;

#define IMPORT_TEST_HASH "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6"

#endif

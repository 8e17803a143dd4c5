/* tls/ticket.h: session ticket keys, shared by every worker, every context and every snapshot, so that a client
 * resumes whichever worker it comes back to (RFC 5077, RFC 8446 section 4.6.1). */
#ifndef MQGATE_TLS_TICKET_H
#define MQGATE_TLS_TICKET_H

#include "base/err.h"

struct tls_tickets;

/* Fresh random keys. NULL and *err on failure. */
struct tls_tickets *tls_tickets_new(struct err *err);
/* Wipes the keys. No context may use them any more. NULL is fine. */
void tls_tickets_free(struct tls_tickets *tickets);
/* A new key seals from now on; tickets of the last TICKET_KEYS_KEPT keys, the new one among them, are taken. Call it
 * from one thread, every TICKET_ROTATE_MS; handshakes in other threads go on meanwhile. 0, or -1 and *err (the old keys
 * stay). */
enum { TICKET_KEYS_KEPT = 3, TICKET_ROTATE_MS = 8 * 3600 * 1000 };
int tls_tickets_rotate(struct tls_tickets *tickets, struct err *err);

#endif

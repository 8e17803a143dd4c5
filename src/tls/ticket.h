/* tls/ticket.h: session ticket keys, shared by every worker, every context and every snapshot, so that a client
 * resumes whichever worker it comes back to (RFC 5077, RFC 8446 section 4.6.1). */
#ifndef MQGATE_TLS_TICKET_H
#define MQGATE_TLS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/image.h"

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
/* Milliseconds until the next call is due: TICKET_ROTATE_MS after the last one, whichever process made it. */
uint64_t tls_tickets_due_in_ms(const struct tls_tickets *tickets);

/* All keys, in a record of kind IMAGE_TICKETS. */
void                           tls_tickets_carry(const struct tls_tickets *tickets, struct image_writer *w);
extern const struct image_kind tickets_image_kind;
/* Those of such a record take the place of what tickets has. False and *err: tickets is as it was. */
bool tls_tickets_adopt(struct tls_tickets *tickets, const struct image_record *record, struct err *err) MUST_CHECK;

#endif

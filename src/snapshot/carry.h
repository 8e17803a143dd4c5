/* snapshot/carry.h: what was set while a process ran, and is in no file, as an image has it: for the next process, with
 * its own snapshot, of whatever configuration that read.
 *
 * What an operator or DNS had set goes over as on reload: unless the file says something else now than it did. Names
 * that the new configuration does not have are left out silently. Everything here is for a snapshot that no thread uses
 * yet. */
#ifndef MQGATE_SNAPSHOT_CARRY_H
#define MQGATE_SNAPSHOT_CARRY_H

#include "base/image.h"
#include "snapshot/snapshot.h"

/* Servers: state, admin, weight, limit, address and peak; of backends the peak of those who waited. */
void snapshot_carry_servers(const struct snapshot *snap, struct image_writer *w);
/* Before health_new() and dns_new(), which look at where servers are. Records of other kinds are left alone. False: the
 * record is not to be understood; *err says why. */
bool snapshot_adopt_server(struct snapshot *snap, const struct image_record *record, struct err *err) MUST_CHECK;

/* Listeners: state, limit, when max_age and rate_limit let the next session go; and who their sources are, with what
 * was counted of them. Their connections are counted anew as they come over: sources_resume(). */
void snapshot_carry_listeners(const struct snapshot *snap, struct image_writer *w);
/* Before engine_open(), and before sessions are adopted. The rest as above. */
bool snapshot_adopt_listener(struct snapshot *snap, const struct image_record *record, struct err *err) MUST_CHECK;

#endif

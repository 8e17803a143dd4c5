/* tests/support/descriptors.h: how many descriptors this process has open, and how many it may have. */
#ifndef MQGATE_TESTS_DESCRIPTORS_H
#define MQGATE_TESTS_DESCRIPTORS_H

/* Open now. Compare two of them to find a leak. */
unsigned descriptors_open(void);

/* From now on only n more can be opened (RLIMIT_NOFILE; no lower descriptor may be free). descriptors_allow_all()
 * lifts it. */
void descriptors_allow(unsigned n);
void descriptors_allow_all(void);

#endif

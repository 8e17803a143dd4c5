#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

static int find_group(const char *name, gid_t *gid, struct err *err)
{
    errno = 0;
    const struct group *gr = getgrnam(name);
    if (gr == NULL) {
        err_set(err, "group \"%s\": no such group", name);
        return -1;
    }
    *gid = gr->gr_gid;
    return 0;
}

static int become(const struct privileges *privileges, struct err *err)
{
    const char *user = privileges->user;
    uid_t       uid = privileges->uid;
    gid_t       gid = privileges->gid;
    if (geteuid() == uid && getegid() == gid)
        return 0;
    if (geteuid() != 0) {
        err_set(err, "cannot become another user or group: only root may; run as root, or leave global.user and "
                     "global.group empty");
        return -1;
    }
    int answer = user[0] != '\0' ? initgroups(user, gid) : setgroups(0, NULL);
    if (answer != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        err_system(err, errno, "become user %u, group %u", (unsigned)uid, (unsigned)gid);
        return -1;
    }
    if (uid != 0 && setuid(0) == 0) {
        err_set(err, "privileges came back after they were dropped");
        return -1;
    }
    return 0;
}

int privileges_find(struct privileges *privileges, const char *user, const char *group, struct err *err)
{
    *privileges = (struct privileges){.user = user, .uid = geteuid(), .gid = getegid()};
    if (user[0] != '\0') {
        const struct passwd *pw = getpwnam(user);
        if (pw == NULL) {
            err_set(err, "user \"%s\": no such user", user);
            return -1;
        }
        privileges->uid = pw->pw_uid;
        privileges->gid = pw->pw_gid;
    }
    return group[0] == '\0' ? 0 : find_group(group, &privileges->gid, err);
}

bool privileges_allow(const char *user, const char *group, struct err *err)
{
    struct privileges who;
    if (privileges_find(&who, user, group, err) != 0)
        return false;
    if (geteuid() == 0 || (geteuid() == who.uid && getegid() == who.gid))
        return true;
    err_set(err, "global.user and global.group are others now, and this process may not change who it is: that needs a "
                 "restart");
    return false;
}

int privileges_drop(const struct privileges *privileges, struct err *err)
{
    if (become(privileges, err) != 0)
        return -1;
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        err_system(err, errno, "prctl");
        return -1;
    }
    return 0;
}

void privileges_allow_inspection(void)
{
    (void)prctl(PR_SET_DUMPABLE, 1);
}

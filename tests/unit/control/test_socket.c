/* The socket as a name in the file system. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/sock.h"
#include "unit/control/suites.h"
#include "unit/control/world.h"

static void expect_failure(const char *path, const char *said)
{
    struct err              err = {.text = ""};
    struct control_settings settings = world_settings();
    settings.path = path;
    ck_assert_ptr_null(control_open(w.loop, &settings, &w.log, &err));
    ck_assert_msg(strstr(err.text, said) != NULL, "%s", err.text);
}

static struct stat status(void)
{
    struct stat s;
    ck_assert_int_eq(lstat(w.path, &s), 0);
    return s;
}

START_TEST(it_has_the_mode_whatever_the_umask)
{
    static const mode_t modes[] = {0660, 0600, 0666, 0777, 0000};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct control_settings settings = world_settings();
        settings.mode = modes[i];
        (void)umask(0027);
        world_start(&settings);
        ck_assert_uint_eq(status().st_mode & 07777, modes[i]);
        ck_assert_uint_eq(umask(0027), 0027);
        control_close(w.control);
        w.control = NULL;
    }
}
END_TEST

START_TEST(it_belongs_to_whom_it_is_given)
{
    struct control_settings settings = world_settings();
    if (geteuid() != 0)
        return;
    settings.uid = 4321;
    settings.gid = 1234;
    world_start(&settings);
    ck_assert_uint_eq(status().st_uid, 4321);
    ck_assert_uint_eq(status().st_gid, 1234);
    ck_assert_uint_eq(status().st_mode & 07777, 0660);
}
END_TEST

START_TEST(one_that_nobody_listens_on_is_replaced)
{
    struct control_settings settings = world_settings();
    world_start(&settings);
    char kept[sizeof w.path + 8];
    (void)snprintf(kept, sizeof kept, "%s.kept", w.path);
    ck_assert_int_eq(link(w.path, kept), 0);
    control_close(w.control);
    ck_assert_int_eq(rename(kept, w.path), 0);
    ino_t stale = status().st_ino;
    world_start(&settings);
    struct peer peer = peer_open();
    peer_say(&peer, "echo x\n");
    peer_expect_all(&peer, "x\n\n");
    peer_close(&peer);
    ck_assert_uint_ne(stale, 0);
}
END_TEST

START_TEST(one_that_somebody_listens_on_is_left_alone)
{
    struct control_settings settings = world_settings();
    world_start(&settings);
    ino_t inode = status().st_ino;
    expect_failure(w.path, "another mqgate is listening on ");
    ck_assert_uint_eq(status().st_ino, inode);
    struct peer peer = peer_open();
    peer_say(&peer, "echo x\n");
    peer_expect_all(&peer, "x\n\n");
    peer_close(&peer);
}
END_TEST

START_TEST(a_file_of_another_kind_is_left_alone)
{
    int fd = open(w.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    sock_close(fd);
    expect_failure(w.path, "something that is no socket has this name");
    ck_assert(S_ISREG(status().st_mode));
    ck_assert_int_eq(unlink(w.path), 0);
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
    char path[128], said[256];
    (void)snprintf(path, sizeof path, "%s/run/socket", w.directory);
    (void)snprintf(said, sizeof said, "control_socket %s: there is no directory %s/run; create it", path, w.directory);
    expect_failure(path, said);
}
END_TEST

START_TEST(the_name_goes_with_it)
{
    struct control_settings settings = world_settings();
    world_start(&settings);
    control_close(w.control);
    w.control = NULL;
    ck_assert_int_ne(access(w.path, F_OK), 0);
}
END_TEST

START_TEST(a_name_that_is_anothers_by_now_stays)
{
    struct control_settings settings = world_settings();
    world_start(&settings);
    struct control *old = w.control;
    char            aside[sizeof w.path + 8];
    (void)snprintf(aside, sizeof aside, "%s.aside", w.path);
    ck_assert_int_eq(rename(w.path, aside), 0); /* keeps the inode from being used again */
    world_start(&settings);
    control_close(old);
    ck_assert_int_eq(access(w.path, F_OK), 0);
    ck_assert_int_eq(unlink(aside), 0);
}
END_TEST

START_TEST(it_tells_of_itself)
{
    char                    answer[256];
    struct control_settings settings = world_settings();
    settings.level = COMMAND_OPERATOR;
    world_start(&settings);
    (void)snprintf(answer, sizeof answer,
                   "# socket lvl processes\nunix@%s operator all\n\noperator\n\nPermission denied\n\n", w.path);
    struct peer peer = peer_open();
    peer_say(&peer, "show cli sockets;show cli level;change\n");
    peer_expect_all(&peer, answer);
    peer_close(&peer);
}
END_TEST

TCase *socket_tests(void)
{
    TCase *tc = tcase_create("socket");
    tcase_add_checked_fixture(tc, world_open, world_close);
    tcase_add_test(tc, it_has_the_mode_whatever_the_umask);
    tcase_add_test(tc, it_belongs_to_whom_it_is_given);
    tcase_add_test(tc, one_that_nobody_listens_on_is_replaced);
    tcase_add_test(tc, one_that_somebody_listens_on_is_left_alone);
    tcase_add_test(tc, a_file_of_another_kind_is_left_alone);
    tcase_add_test(tc, a_missing_directory_is_named);
    tcase_add_test(tc, the_name_goes_with_it);
    tcase_add_test(tc, a_name_that_is_anothers_by_now_stays);
    tcase_add_test(tc, it_tells_of_itself);
    return tc;
}

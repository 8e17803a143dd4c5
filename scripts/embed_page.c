/* Writes src/admin/page.html as C: its bytes, and the policy that lets in its style and its script, known by their
 * SHA-256, and nothing else. A part of the build only. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 1 << 20, SOURCE_MAX = 8 + EVP_MAX_MD_SIZE * 2 };

static const char policy[] = "default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; img-src data:; "
                             "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
                             "require-trusted-types-for 'script'";

static void die(const char *what, const char *which)
{
    (void)fprintf(stderr, "embed_page: %s %s\n", which, what);
    exit(EXIT_FAILURE);
}

static size_t read_page(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot be opened", path);
    size_t len = fread(out, 1, PAGE_MAX, file);
    if (len == 0 || len == PAGE_MAX || ferror(file) != 0)
        die("cannot be read, or is too large", path);
    (void)fclose(file);
    out[len] = '\0';
    return len;
}

/* The source expression of what stands between the only two tags of this name. */
static void source_of(const char *page, const char *name, char out[SOURCE_MAX])
{
    char          open[16], close[16];
    unsigned char digest[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned      digest_len = 0;
    (void)snprintf(open, sizeof open, "<%s>", name);
    (void)snprintf(close, sizeof close, "</%s>", name);
    const char *from = strstr(page, open), *to = strstr(page, close);
    if (from == NULL || to == NULL || to < from || strstr(from + 1, open) != NULL || strstr(to + 1, close) != NULL)
        die("is not there exactly once", open);
    from += strlen(open);
    if (EVP_Digest(from, (size_t)(to - from), digest, &digest_len, EVP_sha256(), NULL) != 1)
        die("could not be hashed", open);
    (void)EVP_EncodeBlock(text, digest, (int)digest_len);
    (void)snprintf(out, SOURCE_MAX, "sha256-%s", (const char *)text);
}

static void put_bytes(const char *bytes, size_t len)
{
    (void)printf("const char page_bytes[] = {");
    for (size_t i = 0; i <= len; i++)
        (void)printf("%s%d,", i % 24 == 0 ? "\n    " : " ", bytes[i]);
    (void)printf("\n};\n");
}

int main(int argc, char **argv)
{
    static char page[PAGE_MAX + 1];
    char        script[SOURCE_MAX], style[SOURCE_MAX];
    if (argc != 2)
        die("PAGE", "usage:");
    size_t len = read_page(argv[1], page);
    source_of(page, "script", script);
    source_of(page, "style", style);
    (void)printf("#include \"admin/page_bytes.h\"\n\n");
    put_bytes(page, len);
    (void)printf("\nconst char page_policy[] = \"");
    (void)printf(policy, script, style);
    (void)printf("\";\n");
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

"""Certificates for tests, made with the openssl command."""
import collections
import functools
import subprocess

Identity = collections.namedtuple("Identity", "chain key")

CONFIG = """
[ca]
default_ca = it
[it]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = empty
[empty]
"""

KEYS = {"ec": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        "rsa4096": ("RSA", "-pkeyopt", "rsa_keygen_bits:4096")}


class Authority:
    """A CA in a directory of its own. ca and crl are files in PEM."""

    def __init__(self, directory):
        self._at = directory
        for name, text in (("ca.cnf", CONFIG), ("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n")):
            (directory / name).write_text(text, encoding="ascii")
        self._key("ca", "ec")
        self._openssl("req", "-x509", "-config", "ca.cnf", "-new", "-key", "ca.key", "-subj", "/CN=mqgate test CA",
                      "-days", "60", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                      "keyUsage=critical,keyCertSign,cRLSign", "-out", "ca.pem")
        self.ca = str(directory / "ca.pem")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self._at, check=True, capture_output=True)

    def _key(self, name, kind):
        self._openssl("genpkey", "-algorithm", *KEYS[kind], "-out", f"{name}.key")
        (self._at / f"{name}.key").chmod(0o600)

    @functools.lru_cache(maxsize=None)
    def leaf(self, cn, kind="ec", *, names=(), expired=False):
        """A certificate with this common name and these alternative names (the common name, when there are none)."""
        name = f"{cn.replace('*', 'any')}-{kind}-{len(list(self._at.iterdir()))}"
        self._key(name, kind)
        extensions = self._at / f"{name}.ext"
        alternatives = ",".join(f"DNS:{each}" for each in names or (cn,))
        extensions.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n",
                              encoding="utf-8")
        self._openssl("req", "-new", "-config", "ca.cnf", "-key", f"{name}.key", "-subj", f"/CN={cn}", "-out",
                      f"{name}.csr")
        dates = ("-startdate", "20200101000000Z", "-enddate", "20210203040506Z") if expired else ()
        self._openssl("ca", "-batch", "-config", "ca.cnf", "-notext", "-in", f"{name}.csr", "-extfile",
                      f"{name}.ext", "-out", f"{name}.pem", *dates)
        return Identity(str(self._at / f"{name}.pem"), str(self._at / f"{name}.key"))

    def crl(self, *revoked):
        """A list that holds these certificates and no others that were not revoked before."""
        for identity in revoked:
            self._openssl("ca", "-config", "ca.cnf", "-revoke", identity.chain)
        self._openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem")
        return str(self._at / "crl.pem")


def section(name, *identities, **options):
    """An entry of the configuration's "tls" list."""
    return {"name": name, "certificates": [{"chain": each.chain, "key": each.key} for each in identities], **options}

import { z } from 'zod';

/** Settings of the authorities and of certificates. */
export const PKI_SETTINGS = z
  .strictObject({
    publicUrl: z
      .string()
      .regex(/^(https?:\/\/[\u0021-\u007e]+)?$/, 'must be an URL, as http://pki.example.com')
      .default('')
      .describe(
        "URL under which others reach this server's `/pki/`: certificates then say where their CRL and OCSP answers are. Empty: they do not.",
      ),
    certificateDays: z.coerce
      .number()
      .int()
      .positive()
      .max(36_500)
      .default(3_650)
      .describe(
        'Days for which certificates of devices are issued where nobody says otherwise; none ends later than its authority. Devices are asked to renew at two thirds.',
      ),
    serverAuthority: z
      .enum(['issuing', 'local'])
      .default('issuing')
      .describe(
        "Which authority signs the server's own certificate: issuing, or local, the one made at the first start, as long as devices trust only that.",
      ),
    tokenPin: z
      .string()
      .min(1)
      .optional()
      .describe(
        'PIN of the PKCS#11 token that keeps the key of the issuing authority, where `selsyn pki` was given no file of it.',
      )
      .meta({ secret: true }),
  })
  .prefault({});

/** Settings of what is kept sealed. */
export const SECRETS_SETTINGS = z
  .strictObject({
    masterKey: z
      .enum(['file', 'pkcs11', 'vault'])
      .default('file')
      .describe(
        'Where the master key of what is sealed is kept: in a file, in a PKCS#11 token, or in the transit engine of HashiCorp Vault.',
      ),
    masterKeyFile: z
      .string()
      .default('')
      .describe(
        'File of the master key, made at the first start. Empty: data/secrets/master.key. Keep a copy, apart from backups.',
      ),
    pkcs11Module: z.string().default('').describe('PKCS#11 module, as /usr/lib/softhsm/libsofthsm2.so.'),
    pkcs11Token: z.string().default('').describe('Label of the token that has the master key.'),
    pkcs11Key: z
      .string()
      .min(1)
      .default('selsyn-master')
      .describe('Label of the master key in it; made there at the first start.'),
    pkcs11Pin: z.string().min(1).optional().describe('PIN of that token.').meta({ secret: true }),
    vaultUrl: z
      .string()
      .regex(
        /^(|https:\/\/[^\s?#]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\/?)$/,
        'must be an URL with https (http on loopback only)',
      )
      .default('')
      .describe('URL of Vault, as https://vault.example:8200.'),
    vaultMount: z.string().min(1).default('transit').describe('Where its transit engine is mounted.'),
    vaultKey: z.string().min(1).default('selsyn').describe('Name of the key in the transit engine, of the type aes256-gcm96.'),
    vaultToken: z
      .string()
      .min(1)
      .optional()
      .describe('Token for Vault, which may encrypt and decrypt with that key.')
      .meta({ secret: true }),
  })
  .prefault({});

import { join } from 'node:path';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { readText, writePublic } from './pki-files.ts';

/** Where the key of an intermediate is. */
export const KEY_PLACE = z.union([
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({
    /** Path of the PKCS#11 module. */
    module: z.string().min(1),
    /** Label of the token. */
    token: z.string().min(1),
    /** Label of the key, or its id in hex, or both. */
    label: z.string().min(1).optional(),
    id: z
      .string()
      .regex(/^([0-9a-f]{2})+$/)
      .optional(),
    /** File of its PIN; without it the setting pki.tokenPin. */
    pinFile: z.string().min(1).optional(),
  }),
]);

const MANIFEST = z.strictObject({
  /** File of the certificate of the one that issues. */
  issuing: z.string().min(1),
  /** Newest first. Files are in the folder of the manifest. */
  intermediates: z
    .array(z.strictObject({ certificate: z.string().min(1), root: z.string().min(1), key: KEY_PLACE }))
    .min(1)
    .max(100),
});

export type KeyPlace = Readonly<z.infer<typeof KEY_PLACE>>;
export type PkiManifest = Readonly<z.infer<typeof MANIFEST>>;

/**
 * Names the intermediates of a data folder; beside `ca.crt` and `ca.key`, the authority that is made at the first start where there is
 * no manifest. It is written last and at once: what it names is there.
 */
export const MANIFEST_FILE = 'authorities.json';

/** The root of the one that issues, under a name that stays: to be given to clients. */
export const ROOT_CERTIFICATE_FILE = 'root.crt';

/** Undefined where `selsyn pki init` has not been run. @throws SelsynError `data.corrupt`, `data.unwritable` */
export function readManifest(dir: string): PkiManifest | undefined {
  const path = join(dir, MANIFEST_FILE);
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    const manifest = MANIFEST.parse(JSON.parse(text));
    if (!manifest.intermediates.some(({ certificate }) => certificate === manifest.issuing))
      throw new Error(`${manifest.issuing} is not in it`);
    return manifest;
  } catch (error) {
    throw new SelsynError('data.corrupt', `${path} cannot be understood: restore it from a backup`, { cause: error });
  }
}

/** @throws SelsynError `data.unwritable` */
export function writeManifest(dir: string, manifest: PkiManifest): void {
  writePublic(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
}

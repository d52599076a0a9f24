import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import { issuingAuthority, keepServerCertificate, localAuthority } from '../pki/server-certificate.ts';
import type { Signing } from '../pki/signing.ts';
import { LOCAL_CERTIFICATE_FILE } from '../pki/local-authority.ts';
import { MANIFEST_FILE, ROOT_CERTIFICATE_FILE } from '../pki/pki-manifest.ts';
import { machineServerNames, type MachineNames, readServerName, type ServerName } from '../pki/server-names.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Config } from './config-schema.ts';
import { readClientAuthorities, readServerFiles } from './tls-files.ts';

export interface TlsKeeperOptions {
  readonly settings: Config['tls'];
  /** Where the authorities and the server's own key and certificate are kept. */
  readonly pkiDir: string;
  readonly signing: Signing;
  /** Which authority signs the server's certificate: `pki.serverAuthority`. */
  readonly serverAuthority: 'issuing' | 'local';
  /** Whose client certificates count as verified, PEM each. Asked after `signing` has read its authorities again. */
  readonly trustedAuthorities: () => Promise<readonly string[]>;
  readonly machine: MachineNames;
  readonly clock: Clock;
  readonly random: (sizeBytes: number) => Uint8Array;
  readonly logLines: LogLines;
}

/**
 * Keeps what TLS needs up to date while the server runs: reads the files again when they have changed or when it is told to,
 * renews the certificate made here before its end, and changes the ticket keys twice a day. What is bad is logged, and the
 * old one kept.
 */
export class TlsKeeper implements Disposable {
  readonly #options: TlsKeeperOptions;
  #caFile: string | undefined;
  #material: TlsMaterial;
  #stamps: string;
  #loadedAtMs: number;
  #cancel: (() => void) | undefined;
  #onChange: ((material: TlsMaterial) => Promise<void>) | undefined;

  private constructor(options: TlsKeeperOptions, stamps: string, loaded: Loaded) {
    this.#options = options;
    this.#caFile = loaded.caFile;
    this.#material = loaded.material;
    this.#stamps = stamps;
    this.#loadedAtMs = options.clock.monotonicMs();
  }

  /** @throws SelsynError `config.invalid`, `data.unwritable`, `data.corrupt`, `signer.unavailable` */
  static async open(options: TlsKeeperOptions): Promise<TlsKeeper> {
    const stamps = stampsOf(options);
    return new TlsKeeper(options, stamps, await load(options));
  }

  /** The certificate that clients are to trust; undefined where the server has a certificate of its own. */
  get caFile(): string | undefined {
    return this.#caFile;
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** From now on `onChange` is called, one call at a time, whenever there is something new. */
  start(onChange: (material: TlsMaterial) => Promise<void>): void {
    this.#onChange = onChange;
    this.#schedule();
  }

  /** Reads all again, changed or not. Never throws. */
  async reload(): Promise<void> {
    const { clock, logLines, signing } = this.#options;
    this.#loadedAtMs = clock.monotonicMs();
    this.#stamps = stampsOf(this.#options);
    try {
      await signing.reload();
      const loaded = await load(this.#options);
      this.#material = loaded.material;
      this.#caFile = loaded.caFile;
      await this.#onChange?.(this.#material);
      logLines.info('the TLS certificate was read again');
    } catch (error) {
      logLines.error({ err: error }, 'the TLS certificate could not be read again: the old one stays in use');
    }
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#onChange = undefined;
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => {
      const aged = this.#options.clock.monotonicMs() - this.#loadedAtMs >= RENEW_EVERY_MS;
      if (!aged && stampsOf(this.#options) === this.#stamps) this.#schedule();
      else {
        void this.reload().then(() => {
          if (this.#onChange !== undefined) this.#schedule();
        });
      }
    });
  }
}

const LOOK_EVERY_MS = 5_000;
/** A ticket key that leaks opens the sessions of half a day at most. */
const RENEW_EVERY_MS = 43_200_000;
const TICKET_KEY_BYTES = 48;
const NEAR_END_MS = 14 * 86_400_000;

interface Loaded {
  readonly material: TlsMaterial;
  readonly caFile: string | undefined;
}

async function load({
  settings,
  pkiDir,
  signing,
  serverAuthority,
  trustedAuthorities,
  machine,
  clock,
  random,
  logLines,
}: TlsKeeperOptions): Promise<Loaded> {
  const own = readServerFiles(settings);
  const clientAuthorities = [...(await trustedAuthorities()), ...readClientAuthorities(settings)];
  const ticketKeys = random(TICKET_KEY_BYTES);
  if (own !== undefined) {
    if (own.endsMs - clock.now() < NEAR_END_MS)
      logLines.warn(
        { file: settings.certFile, ends: new Date(own.endsMs).toISOString() },
        'the TLS certificate is at its end or near it',
      );
    const { certificate, privateKey } = own;
    return { material: { certificate, privateKey, clientAuthorities, ticketKeys }, caFile: undefined };
  }
  const names = [...machineServerNames(machine), ...namesOf(settings.serverNames)];
  const authority = serverAuthority === 'local' ? await localAuthority(signing) : await issuingAuthority(signing);
  const made = await keepServerCertificate({ dir: pkiDir, names, signing, authority, clock });
  return {
    material: { certificate: made.certificatePem, privateKey: made.privateKeyPem, clientAuthorities, ticketKeys },
    caFile: join(pkiDir, authority.kind === 'local' ? LOCAL_CERTIFICATE_FILE : ROOT_CERTIFICATE_FILE),
  };
}

function namesOf(setting: string): ServerName[] {
  return setting
    .split(',')
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const name = readServerName(text);
      if (name === undefined)
        throw new SelsynError('config.invalid', `tls.serverNames: "${text.trim()}" is neither a host name nor an address`);
      return name;
    });
}

/** Changes whenever one of the files does; one that is gone counts too. */
function stampsOf({ settings: { certFile, keyFile, clientCaFile }, pkiDir }: TlsKeeperOptions): string {
  return [certFile, keyFile, clientCaFile, join(pkiDir, MANIFEST_FILE)]
    .map((path) => {
      if (path === '') return '';
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? 'gone' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    })
    .join(' | ');
}

import { statSync } from 'node:fs';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import { type LocalAuthority, openLocalAuthority } from '../identity/local-authority.ts';
import { machineServerNames, type MachineNames, readServerName, type ServerName } from '../identity/server-names.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Config } from './config-schema.ts';
import { readClientAuthorities, readServerFiles } from './tls-files.ts';

export interface TlsKeeperOptions {
  readonly settings: Config['tls'];
  /** Where the local authority is kept. */
  readonly pkiDir: string;
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
  /** The certificate that clients are to trust; undefined where the server has a certificate of its own. */
  readonly caFile: string | undefined;
  readonly #options: TlsKeeperOptions;
  readonly #authority: LocalAuthority;
  #material: TlsMaterial;
  #stamps: string;
  #loadedAtMs: number;
  #cancel: (() => void) | undefined;
  #onChange: ((material: TlsMaterial) => Promise<void>) | undefined;

  private constructor(options: TlsKeeperOptions, authority: LocalAuthority, loaded: { stamps: string; material: TlsMaterial }) {
    this.#options = options;
    this.#authority = authority;
    this.caFile = options.settings.certFile === '' ? authority.certificateFile : undefined;
    this.#material = loaded.material;
    this.#stamps = loaded.stamps;
    this.#loadedAtMs = options.clock.monotonicMs();
  }

  /** @throws SelsynError `config.invalid`, `data.unwritable`, `data.corrupt` */
  static async open(options: TlsKeeperOptions): Promise<TlsKeeper> {
    const authority = await openLocalAuthority({ dir: options.pkiDir, clock: options.clock });
    const stamps = stampsOf(options.settings);
    return new TlsKeeper(options, authority, { stamps, material: await load(options, authority) });
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
    const { clock, logLines, settings } = this.#options;
    this.#loadedAtMs = clock.monotonicMs();
    this.#stamps = stampsOf(settings);
    try {
      this.#material = await load(this.#options, this.#authority);
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
      if (!aged && stampsOf(this.#options.settings) === this.#stamps) this.#schedule();
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

async function load(
  { settings, machine, clock, random, logLines }: TlsKeeperOptions,
  authority: LocalAuthority,
): Promise<TlsMaterial> {
  const own = readServerFiles(settings);
  const clientAuthorities = [authority.certificatePem, ...readClientAuthorities(settings)];
  const ticketKeys = random(TICKET_KEY_BYTES);
  if (own !== undefined) {
    if (own.endsMs - clock.now() < NEAR_END_MS)
      logLines.warn(
        { file: settings.certFile, ends: new Date(own.endsMs).toISOString() },
        'the TLS certificate is at its end or near it',
      );
    return { certificate: own.certificate, privateKey: own.privateKey, clientAuthorities, ticketKeys };
  }
  const made = await authority.serverCertificate([...machineServerNames(machine), ...namesOf(settings.serverNames)]);
  return { certificate: made.certificatePem, privateKey: made.privateKeyPem, clientAuthorities, ticketKeys };
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
function stampsOf({ certFile, keyFile, clientCaFile }: Config['tls']): string {
  return [certFile, keyFile, clientCaFile]
    .map((path) => {
      if (path === '') return '';
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? 'gone' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    })
    .join(' | ');
}

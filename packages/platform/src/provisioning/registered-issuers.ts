import type { Clock } from '../kernel/clock.ts';
import type { AuthorityService } from '../pki/authority-service.ts';
import { authorityKeyIdOf, describeCertificate, readCertificateParts } from '../pki/certificate-reading.ts';
import { DerError } from '../pki/der-reader.ts';
import { readName } from '../pki/name-attributes.ts';

/** A list that is so old still counts: after so long an authority that was just registered is known. */
const LISTED_FOR_MS = 2_000;

/** The names that certificates of registered authorities bear as their issuer's. They prove nothing, but tell strangers apart for some microseconds. */
export class RegisteredIssuers {
  readonly #authorities: Pick<AuthorityService, 'list'>;
  readonly #clock: Clock;
  #listed: Promise<ReadonlySet<string>> | undefined;
  #untilMs = 0;

  constructor(dependencies: { readonly authorities: Pick<AuthorityService, 'list'>; readonly clock: Clock }) {
    this.#authorities = dependencies.authorities;
    this.#clock = dependencies.clock;
  }

  /** Whether the certificate says that one of them has signed it; false for what is no certificate. */
  async areNamedBy(der: Uint8Array): Promise<boolean> {
    const names = issuersOf(der);
    if (names.length === 0) return false;
    const listed = await this.#list();
    return names.some((name) => listed.has(name));
  }

  async #list(): Promise<ReadonlySet<string>> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#listed === undefined || nowMs >= this.#untilMs) {
      this.#untilMs = nowMs + LISTED_FOR_MS;
      this.#listed = this.#read();
      // The next asks again.
      this.#listed.catch(() => (this.#untilMs = 0));
    }
    return await this.#listed;
  }

  async #read(): Promise<ReadonlySet<string>> {
    const usable = (await this.#authorities.list()).filter(({ kind, status }) => kind === 'registered' && status === 'active');
    return new Set(
      usable.flatMap(({ certificatePem, keyId }) => {
        const { subject } = readCertificateParts(describeCertificate(certificatePem).der);
        return [nameKey(subject), ...(keyId === '' ? [] : [`key ${keyId}`])];
      }),
    );
  }
}

function issuersOf(der: Uint8Array): readonly string[] {
  try {
    const parts = readCertificateParts(der);
    const keyId = authorityKeyIdOf(parts)?.toString('hex');
    return [nameKey(parts.issuer), ...(keyId === undefined ? [] : [`key ${keyId}`])];
  } catch (error) {
    if (error instanceof DerError) return [];
    throw error;
  }
}

function nameKey(name: Uint8Array): string {
  return JSON.stringify(readName(name).map(({ type, value }) => [type, value]));
}

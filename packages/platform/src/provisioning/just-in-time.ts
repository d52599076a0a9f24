import { systemActor } from '../audit/actor.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { AuthorityRecord } from '../pki/authority-record.ts';
import type { AuthorityService } from '../pki/authority-service.ts';
import type { AuthorityTrust } from '../pki/authority-trust.ts';
import { certificateIdOf, describeCertificate, keyWeaknessOf, readCertificateParts } from '../pki/certificate-reading.ts';
import type { CertificateService } from '../pki/certificate-service.ts';
import { isClientCertificate } from '../pki/client-certificate.ts';
import { DerError } from '../pki/der-reader.ts';
import { readName } from '../pki/name-attributes.ts';
import type { CertificateDescription } from '../pki/signing.ts';
import { AttemptTrace } from './attempt-trace.ts';
import type { Attempts } from './attempts.ts';
import type { Enrolment } from './enrolment.ts';
import { NegativeCache } from './negative-cache.ts';
import { refusal, RefusedError } from './refusal.ts';
import { RegisteredIssuers } from './registered-issuers.ts';
import { refusalOfError } from './refusal-of-error.ts';
import { certifiedParameters } from './subject-parameters.ts';
import type { TemplateStore } from './template-store.ts';

export interface JustInTimeDependencies {
  readonly clock: Clock;
  readonly authorities: Pick<AuthorityService, 'list'>;
  readonly trust: Pick<AuthorityTrust, 'certificateAuthorityOf'>;
  readonly templates: Pick<TemplateStore, 'find'>;
  readonly enrolment: Pick<Enrolment, 'enrol'>;
  readonly certificates: Pick<CertificateService, 'keep'>;
  readonly attempts: Pick<Attempts, 'note'>;
  readonly logLines: LogLines;
}

/** So long a certificate that was not taken is not looked at again, and so long an operator waits who has just changed something. */
const REFUSED_FOR_MS = 5_000;
const MAX_REFUSED = 20_000;
/** Looked at together; each is at most one signature to be checked by the signer. The next come back. */
const MAX_UNDER_WAY = 32;
const MAX_CERTIFICATE_BYTES = 16_384;

/**
 * Registers devices when they first show a certificate of an authority that somebody has registered here: by the template that the
 * authority names, from what the certificate says.
 *
 * Who comes with a certificate of nobody's costs a hash and a look at the name of its issuer, once in five seconds; no more than a few
 * are looked at together, and who comes on top is refused unlooked and comes again.
 */
export class JustInTimeRegistration {
  readonly #dependencies: JustInTimeDependencies;
  readonly #issuers: RegisteredIssuers;
  readonly #refused: NegativeCache;
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(dependencies: JustInTimeDependencies) {
    this.#dependencies = dependencies;
    this.#issuers = new RegisteredIssuers(dependencies);
    this.#refused = new NegativeCache({ clock: dependencies.clock, forMs: REFUSED_FOR_MS, maxKeys: MAX_REFUSED });
  }

  /**
   * A certificate that is not known here was shown, and the handshake has proved that whoever shows it has its key.
   * @returns whether it is registered now. Does not reject.
   */
  async register(der: Uint8Array): Promise<boolean> {
    if (der.length > MAX_CERTIFICATE_BYTES) return false;
    const id = certificateIdOf(der);
    if (this.#refused.has(id)) return false;
    const same = this.#underWay.get(id);
    if (same !== undefined) return await same;
    if (this.#underWay.size >= MAX_UNDER_WAY) return false;
    const registering = this.#register(id, der);
    this.#underWay.set(id, registering);
    try {
      return await registering;
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #register(id: string, der: Uint8Array): Promise<boolean> {
    const { trust, logLines } = this.#dependencies;
    try {
      const isNamed = await this.#issuers.areNamedBy(der);
      const authority = isNamed ? await trust.certificateAuthorityOf(der) : undefined;
      const isRegistered = authority !== undefined && (await this.#enrol(der, authority));
      if (!isRegistered) this.#refused.add(id);
      return isRegistered;
    } catch (error) {
      // Busy is not refused: it comes again.
      if (!isSelsynError(error, 'signer.busy', 'signer.unavailable', 'thread.timeout', 'thread.gone')) this.#refused.add(id);
      logLines.error({ err: error, certificate: id }, 'a device could not be registered just in time');
      return false;
    }
  }

  async #enrol(der: Uint8Array, authority: AuthorityRecord): Promise<boolean> {
    const { templates, enrolment, certificates } = this.#dependencies;
    const trace = new AttemptTrace();
    trace.step(`certificate of ${authority.subject}`);
    const { template } = authority;
    try {
      if (template === undefined) throw new RefusedError(refusal('template-unknown', 'the authority names no template'));
      const certificate = describeCertificate(der);
      ensureUsable(certificate, this.#dependencies.clock.now());
      const serialParameter = (await templates.find(template))?.template.serial ?? '';
      const knownParameters = certifiedParameters(readName(readCertificateParts(der).subject), certificate.id, serialParameter);
      const result = await enrolment.enrol({
        door: 'just-in-time',
        template,
        parameters: {},
        knownParameters,
        credential: { kind: 'other', keyHash: certificate.keyHash },
        asker: { name: `authority ${authority.subject}`, certificateId: certificate.id },
        trace,
        complete: async (transaction, deviceId) => {
          const actor = { ...systemActor('just-in-time'), name: `authority ${authority.subject}`.slice(0, 200) };
          const facts = { ...certificate, authorityId: authority.id };
          await keep(
            async () => await certificates.keep(facts, { purpose: 'device', status: 'active', deviceId, actor }, transaction),
          );
        },
      });
      return 'deviceId' in result;
    } catch (error) {
      const refused =
        refusalOfError(error) ?? (error instanceof DerError ? refusal('credential-invalid', error.message) : undefined);
      if (refused === undefined || refused.reason === 'busy') throw error;
      trace.step(refused.why);
      trace.step('refused');
      this.#dependencies.attempts.note({
        door: 'just-in-time',
        outcome: 'refused',
        reason: refused.reason,
        template,
        steps: trace.steps,
      });
      return false;
    }
  }
}

/** Whoever signed it: what a TLS library would say of it. @throws RefusedError */
function ensureUsable(certificate: CertificateDescription, nowMs: number): void {
  const { notBeforeMs, notAfterMs, isAuthority, der } = certificate;
  const weakness = keyWeaknessOf(der);
  const fault =
    nowMs < notBeforeMs || notAfterMs <= nowMs
      ? 'certificate is out of its time'
      : isAuthority
        ? 'certificate is that of an authority'
        : isClientCertificate(der)
          ? weakness
          : 'certificate is not for clients';
  if (fault !== undefined) throw new RefusedError(refusal('credential-invalid', fault));
}

/** Somebody may have registered it by hand meanwhile. @throws RefusedError */
async function keep(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isSelsynError(error, 'certificate.exists'))
      throw new RefusedError(refusal('credential-invalid', 'certificate is registered already'));
    throw error;
  }
}

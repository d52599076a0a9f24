import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { certificateIdOf, readCertificateParts } from '../pki/certificate-reading.ts';
import type { Certificate } from '../pki/certificate-record.ts';
import type { CertificateService } from '../pki/certificate-service.ts';
import { findCertificates, groupsOf } from '../pki/certificate-store.ts';
import { type CsrClaims, readCsrClaims } from '../pki/csr-claims.ts';
import { isSameName, namedAttributes, type NameAttribute, readName } from '../pki/name-attributes.ts';
import { AttemptTrace } from './attempt-trace.ts';
import type { AttemptDraft, Attempts } from './attempts.ts';
import type { ClaimBatches } from './claim-batches.ts';
import type { Enrolment } from './enrolment.ts';
import type { EnrolmentResult } from './enrolment-request.ts';
import { type Parameters, readParameters } from './provisioning-payload.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Refusal, RefusedError, refusal } from './refusal.ts';
import { refusalOfError } from './refusal-of-error.ts';
import { ensureStands } from './standing-credential.ts';
import { saidParameters } from './subject-parameters.ts';
import { PROOF_PARAMETER } from './template.ts';
import type { TemplateStore } from './template-store.ts';
import type { TokenEnrolment } from './token-enrolment.ts';

export interface EstEnrolmentDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly enrolment: Pick<Enrolment, 'enrol'>;
  readonly tokenDoor: Pick<TokenEnrolment, 'enrol'>;
  readonly batches: Pick<ClaimBatches, 'ofCertificate' | 'count'>;
  readonly templates: Pick<TemplateStore, 'find'>;
  readonly certificates: Pick<CertificateService, 'find' | 'credentialUsed' | 'sign' | 'keep'>;
  readonly attempts: Pick<Attempts, 'note' | 'record'>;
}

export interface EstRequest {
  /** PKCS #10, DER. */
  readonly csr: Uint8Array;
  /** The label in the path; undefined: that of the credential. */
  readonly template: string | undefined;
  readonly remoteAddress: string;
}

export type EstResult =
  | { readonly outcome: 'issued'; readonly certificatePem: string }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  /** What was shown is known to nobody. */
  | { readonly outcome: 'unknown' };

/** Of one device. */
const RENEWALS_PER_MINUTE = 10;
/** The trace of what came too fast. */
const TOO_FAST_TRACES_PER_MINUTE = 6;

/** Enrolment by EST (RFC 7030): what a request says of its device stands in its subject; the template is the label. */
export class EstEnrolment {
  readonly #dependencies: EstEnrolmentDependencies;
  readonly #pace: RateLimiter;

  constructor(dependencies: EstEnrolmentDependencies) {
    this.#dependencies = dependencies;
    this.#pace = new RateLimiter(dependencies.clock);
  }

  /** Whether there is a template of this label. */
  async isLabel(label: string): Promise<boolean> {
    return (await this.#dependencies.templates.find(label))?.template.enabled === true;
  }

  /** /simpleenroll by a provisioning token (RFC 7030, section 3.2.3). */
  async enrolByToken(request: EstRequest, token: string): Promise<EstResult> {
    return resultOf(
      await this.#dependencies.tokenDoor.enrol({
        door: 'est',
        token,
        template: request.template,
        parameters: (serialParameter) => parametersOf(readCsrClaims(request.csr), serialParameter),
        credential: { kind: 'csr', csr: request.csr },
        remoteAddress: request.remoteAddress,
      }),
    );
  }

  /** /simpleenroll by a claim certificate (RFC 7030, section 3.3.2). */
  async enrolByClaim(request: EstRequest, certificateId: string): Promise<EstResult> {
    const { batches, templates, enrolment, clock } = this.#dependencies;
    const trace = new AttemptTrace();
    let known: Partial<AttemptDraft> = { template: request.template };
    try {
      const claims = readCsrClaims(request.csr);
      const batch = await batches.ofCertificate(certificateId);
      known = { template: batch.template, claimBatch: batch.name, group: batch.group };
      trace.step(`claim batch ${batch.name}`);
      if (request.template !== undefined && request.template !== batch.template)
        throw new RefusedError(
          refusal(
            'template-unknown',
            `claim batch ${batch.name} is for the template ${batch.template}, not for ${request.template}`,
          ),
        );
      if (!this.#pace.take(`batch ${batch.name}`, batch.ratePerMinute))
        throw new RefusedError(refusal('rate-limited', `claim batch ${batch.name} comes too fast`));
      const serialParameter = (await templates.find(batch.template))?.template.serial ?? '';
      const result = await enrolment.enrol({
        door: 'est',
        template: batch.template,
        parameters: parametersOf(claims, serialParameter),
        credential: { kind: 'csr', csr: request.csr },
        asker: { name: `claim batch ${batch.name}`, batch: batch.name, certificateId, remoteAddress: request.remoteAddress },
        trace,
        consume: async (transaction) => {
          await batches.count(batch.name, transaction);
          await ensureStands({ certificateId }, undefined, clock.now(), transaction);
        },
      });
      return resultOf(result);
    } catch (error) {
      return this.#refused(error, request, known, trace);
    }
  }

  /**
   * /simplereenroll (RFC 7030, section 4.2.2): another certificate for the device whose certificate is shown, and for no other.
   * @param der the certificate that the TLS handshake has proved
   */
  async renew(request: EstRequest, der: Uint8Array): Promise<EstResult> {
    const trace = new AttemptTrace();
    let known: Partial<AttemptDraft> = { template: request.template };
    try {
      const current = await this.#dependencies.certificates.find(certificateIdOf(der));
      const deviceId = this.#deviceOf(current);
      known = { ...known, deviceId, group: await this.#groupOf(deviceId, this.#dependencies.database) };
      trace.step(`device ${deviceId}`);
      if (!this.#pace.take(`device ${deviceId}`, RENEWALS_PER_MINUTE))
        throw new RefusedError(refusal('rate-limited', `device ${deviceId} comes too fast`));
      ensureSameSubject(readCsrClaims(request.csr).subject, der, deviceId);
      // It shows that the device has it: not to give way, as one that nobody has used, to the one that it asks for.
      if (current?.firstUsedAtMs === undefined) await this.#dependencies.certificates.credentialUsed(certificateIdOf(der));
      return await this.#renew(request, { id: certificateIdOf(der), deviceId }, trace);
    } catch (error) {
      return this.#refused(error, request, known, trace);
    }
  }

  async #renew(
    { csr, remoteAddress, template }: EstRequest,
    { id, deviceId }: { readonly id: string; readonly deviceId: DeviceId },
    trace: AttemptTrace,
  ): Promise<EstResult> {
    const { database, certificates, attempts } = this.#dependencies;
    const issued = await certificates.sign({ csr }, { commonName: deviceId });
    trace.step(`CSR accepted, ${issued.keyKind}`);
    const actor: Actor = { kind: 'device', id: deviceId, name: deviceId, remoteAddress };
    await inTransaction(database, async (transaction) => {
      // While it was signed somebody may have revoked what it was asked with.
      const [current] = await findCertificates(transaction, [id]);
      this.#deviceOf(current);
      await certificates.keep(issued, { purpose: 'device', status: 'active', deviceId, actor }, transaction);
      const row = await transaction
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select('device_group.path')
        .where('device.id', '=', deviceId)
        .executeTakeFirst();
      const draft = {
        door: 'est',
        outcome: 'renewed',
        deviceId,
        template,
        remoteAddress,
        certificateId: issued.id,
        group: row?.path,
      } as const;
      await attempts.record([{ ...draft, steps: [...trace.steps, 'renewed'] }], transaction);
    });
    return { outcome: 'issued', certificatePem: issued.certificatePem };
  }

  async #groupOf(deviceId: DeviceId, database: Database): Promise<string | undefined> {
    return (await groupsOf(database, [deviceId])).get(deviceId);
  }

  /** Whose certificate it is, while it is good. @throws RefusedError */
  #deviceOf(certificate: Certificate | undefined): DeviceId {
    const nowMs = this.#dependencies.clock.now();
    if (certificate === undefined) throw new RefusedError(refusal('credential-invalid', 'certificate is not known'));
    const { purpose, status, deviceId, notBeforeMs, notAfterMs } = certificate;
    if (purpose !== 'device' || deviceId === undefined || !isDeviceId(deviceId))
      throw new RefusedError(refusal('credential-invalid', 'certificate is not that of a device'));
    if (status !== 'active') throw new RefusedError(refusal('credential-invalid', `certificate is ${status}`));
    if (nowMs < notBeforeMs || notAfterMs <= nowMs)
      throw new RefusedError(refusal('credential-invalid', 'certificate is out of its time'));
    return deviceId;
  }

  #refused(error: unknown, request: EstRequest, known: Partial<AttemptDraft>, trace: AttemptTrace): EstResult {
    const refused = refusalOfError(error);
    if (refused === undefined) throw error;
    const who = known.deviceId ?? known.claimBatch;
    if (refused.reason !== 'rate-limited' || this.#pace.take(`trace ${who}`, TOO_FAST_TRACES_PER_MINUTE)) {
      trace.step(refused.why);
      trace.step('refused');
      this.#dependencies.attempts.note({
        ...known,
        door: 'est',
        outcome: 'refused',
        reason: refused.reason,
        remoteAddress: request.remoteAddress,
        steps: trace.steps,
      });
    }
    return { outcome: 'refused', refusal: refused };
  }
}

function resultOf(result: EnrolmentResult | { readonly outcome: 'unknown' }): EstResult {
  if (result.outcome === 'unknown') return result;
  if (!('deviceId' in result)) return { outcome: 'refused', refusal: result.refusal };
  return { outcome: 'issued', certificatePem: result.certificate?.certificatePem ?? '' };
}

/** The challenge password proves the serial number where the manifest asks for that; else it is not looked at. */
function parametersOf({ subject, challengePassword }: CsrClaims, serialParameter: string): Parameters {
  const said = saidParameters(subject, serialParameter);
  return challengePassword === undefined ? said : readParameters({ ...said, [PROOF_PARAMETER]: challengePassword });
}

/**
 * "The request Subject field [...] MUST be identical to the corresponding fields in the certificate being renewed/rekeyed" (RFC 7030,
 * section 4.2.2). Who names no subject, or the device itself, asks for nothing else either.
 */
function ensureSameSubject(asked: readonly NameAttribute[], der: Uint8Array, deviceId: DeviceId): void {
  if (asked.length === 0 || isSameName(asked, readName(readCertificateParts(der).subject))) return;
  const [only, ...more] = asked;
  if (only !== undefined && more.length === 0 && namedAttributes([only]).get('CommonName') === deviceId) return;
  throw new RefusedError(
    refusal('csr-invalid', 'the subject of the certificate request is not that of the certificate that is shown'),
  );
}

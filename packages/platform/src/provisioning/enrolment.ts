import { SelsynError, isSelsynError } from '../kernel/errors.ts';
import { type CertificateService, handed } from '../pki/certificate-service.ts';
import { Gathering } from '../pki/gathering.ts';
import { pemOf } from '../pki/pem.ts';
import type { IssuedCertificate } from '../pki/signing.ts';
import { admit } from './admission.ts';
import { readAdmissionFacts } from './admission-facts.ts';
import type { Attempts } from './attempts.ts';
import type { FilledTemplate } from './compiled-template.ts';
import { attemptOf } from './enrolment-attempt.ts';
import { EnrolmentWriter, type Candidate, type EnrolmentWriterDependencies } from './enrolment-writer.ts';
import type { EnrolmentRequest, EnrolmentResult } from './enrolment-request.ts';
import type { AsksHook } from './pre-provisioning-hook.ts';
import { parameterOf, type Parameters } from './provisioning-payload.ts';
import { type Refusal, RefusedError, refusal } from './refusal.ts';
import { PROOF_PARAMETER } from './template.ts';
import type { TemplateStore, UsableTemplate } from './template-store.ts';

export interface EnrolmentDependencies extends EnrolmentWriterDependencies {
  readonly templates: Pick<TemplateStore, 'find'>;
  readonly certificates: EnrolmentWriterDependencies['certificates'] & Pick<CertificateService, 'sign'>;
  readonly attempts: Attempts;
  readonly hook: AsksHook;
}

/** A transaction with so many takes some milliseconds, in which this thread does nothing else. */
const MAX_BATCH = 16;
const MAX_WAITING = 4_096;
const TEMPLATE_ARN = 'arn:selsyn:iot:::provisioningtemplate/';

/**
 * Lets devices in, by whatever door they come.
 *
 * 1. the template makes a device of what is said
 * 2. where something costly comes next: a first look whether it could be let in at all
 * 3. the hook is asked
 * 4. a certificate is signed
 * 5. one transaction, shared with those who come at the same time: all is looked at again; the door's own, the device, its policies,
 *    its certificate, the manifest, the audit trail and the trace are written, or none of them
 *
 * Every request leaves a trace.
 */
export class Enrolment {
  readonly #dependencies: EnrolmentDependencies;
  readonly #writer: EnrolmentWriter;
  readonly #gathering: Gathering<Candidate, EnrolmentResult>;

  constructor(dependencies: EnrolmentDependencies) {
    this.#dependencies = dependencies;
    this.#writer = new EnrolmentWriter(dependencies);
    this.#gathering = new Gathering({
      work: async (candidates) => {
        // A queue that is never empty must not keep everybody else waiting.
        await new Promise((resolve) => setImmediate(resolve));
        return await this.#writer.write(candidates);
      },
      maxBatch: MAX_BATCH,
      maxUnderWay: 1,
      maxWaiting: MAX_WAITING,
      full: () => new SelsynError('signer.busy', 'too many devices enrol at once', { retryable: true }),
    });
  }

  /** Does not reject: a fault of the server is a refusal with the reason `failed` or `busy`, and is logged. */
  async enrol(request: EnrolmentRequest): Promise<EnrolmentResult> {
    const known: Known = {};
    try {
      const result = await this.#enrol(request, known);
      // One that was let in, or put into quarantine, has its trace from the transaction.
      if (result.outcome === 'refused') this.#note(request, known, result.refusal);
      return result;
    } catch (error) {
      const refused = this.#refusalOf(error);
      this.#note(request, known, refused);
      return { outcome: 'refused', refusal: refused };
    }
  }

  async #enrol(request: EnrolmentRequest, known: Known): Promise<EnrolmentResult> {
    const { templates } = this.#dependencies;
    const { credential, trace } = request;
    const usable = await templates.find(request.template);
    if (usable === undefined) throw new RefusedError(refusal('template-unknown', `there is no template ${request.template}`));
    known.group = usable.template.group;
    if (!usable.template.enabled) throw new RefusedError(refusal('template-disabled', 'template is disabled'));
    let filled = fill(usable, request.parameters, request, known);
    trace.step(`device ${filled.draft.id}`);
    const isIssued = credential.kind === 'csr' || credential.kind === 'generate';
    if (usable.template.hook !== undefined || isIssued) await this.#look(request, usable, filled);
    if (usable.template.hook !== undefined) {
      filled = await this.#askHook(usable.template.hook.url, request, usable, filled, known);
    }
    const issued = isIssued ? await this.#sign(request, filled) : undefined;
    const result = await this.#gathering.add({ request, usable, filled, issued });
    if (issued === undefined || !('deviceId' in result)) return result;
    return { ...result, certificate: handed(issued) };
  }

  /** Whether it could be let in as things stand: nobody outside of the manifest costs a signature, or the hook a question. */
  async #look(request: EnrolmentRequest, usable: UsableTemplate, filled: FilledTemplate): Promise<void> {
    const wanted = { template: request.template, serial: filled.serial, deviceId: filled.draft.id };
    const [facts] = await readAdmissionFacts(this.#dependencies.database, [wanted]);
    if (facts === undefined) return;
    const admission = admit(
      {
        template: usable.template,
        serial: filled.serial,
        deviceId: filled.draft.id,
        keyHash: undefined,
        keyComesLater: true,
        proof: parameterOf(request.parameters, PROOF_PARAMETER),
        batch: request.asker.batch,
        self: request.self,
      },
      facts,
    );
    // Quarantine is for the transaction to write.
    if ('refused' in admission) throw new RefusedError(admission.refused);
  }

  async #askHook(
    url: string,
    request: EnrolmentRequest,
    usable: UsableTemplate,
    before: FilledTemplate,
    known: Known,
  ): Promise<FilledTemplate> {
    const { asker, credential, parameters, trace } = request;
    const certificateId = credential.kind === 'certificate' ? credential.certificateId : undefined;
    const { [PROOF_PARAMETER]: _proof, ...said } = parameters;
    const overrides = await this.#dependencies.hook.ask(url, {
      claimCertificateId: asker.certificateId,
      certificateId,
      certificatePem: certificateId === undefined ? undefined : await this.#pemOf(certificateId),
      templateArn: `${TEMPLATE_ARN}${request.template}`,
      clientId: asker.clientId,
      parameters: said,
    });
    const names = Object.keys(overrides);
    trace.step(names.length === 0 ? 'hook allowed' : `hook allowed, and set ${names.slice(0, 8).join(', ')}`);
    if (names.length === 0) return before;
    const filled = fill(usable, { ...parameters, ...overrides }, request, known);
    // The manifest was asked about this serial: who answers for the hook does not answer for the manifest.
    if (filled.serial !== before.serial || filled.draft.id !== before.draft.id)
      throw new RefusedError(refusal('hook-failed', 'hook set another serial number'));
    return filled;
  }

  async #pemOf(id: string): Promise<string | undefined> {
    const row = await this.#dependencies.database.selectFrom('certificate').select('der').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : pemOf('CERTIFICATE', row.der);
  }

  async #sign({ credential, trace }: EnrolmentRequest, { draft }: FilledTemplate): Promise<IssuedCertificate> {
    const key = credential.kind === 'csr' ? { csr: credential.csr } : { generate: true as const };
    const issued = await this.#dependencies.certificates.sign(key, { commonName: draft.id });
    trace.step(credential.kind === 'csr' ? `CSR accepted, ${issued.keyKind}` : `key made here, ${issued.keyKind}`);
    return issued;
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof RefusedError) return error.refusal;
    if (isSelsynError(error, 'csr.invalid', 'csr.weak-key')) return refusal('csr-invalid', error.message);
    if (isSelsynError(error, 'request.invalid', 'device.invalid-id')) return refusal('parameters-invalid', error.message);
    if (isSelsynError(error, 'signer.busy', 'signer.unavailable', 'thread.timeout', 'thread.gone'))
      return refusal('busy', error.message);
    this.#dependencies.logLines.error({ err: error }, 'an enrolment failed');
    return refusal('failed', 'the server failed');
  }

  #note(request: EnrolmentRequest, known: Known, refused: Refusal): void {
    request.trace.step(refused.why);
    request.trace.step('refused');
    this.#dependencies.attempts.note({ ...attemptOf(request, known), outcome: 'refused', reason: refused.reason });
  }
}

/** What the trace of a refused one is filed under. */
interface Known {
  group?: string;
  serial?: string;
  deviceId?: string;
}

function fill(usable: UsableTemplate, said: Parameters, { knownParameters }: EnrolmentRequest, known: Known): FilledTemplate {
  const serial = parameterOf(knownParameters, usable.template.serial) ?? parameterOf(said, usable.template.serial);
  if (serial !== undefined) known.serial = serial;
  const filled = usable.compiled.fill(said, knownParameters);
  known.deviceId = filled.draft.id;
  return filled;
}

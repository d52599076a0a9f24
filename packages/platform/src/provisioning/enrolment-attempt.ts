import type { AttemptDraft } from './attempts.ts';
import type { EnrolmentRequest } from './enrolment-request.ts';

/** What stands in the trace of a request, whatever becomes of it. */
export function attemptOf(
  { door, template, asker, credential, trace }: EnrolmentRequest,
  { group, serial, deviceId }: { readonly group?: string; readonly serial?: string; readonly deviceId?: string },
): Omit<AttemptDraft, 'outcome'> {
  return {
    door,
    template,
    serial,
    deviceId,
    certificateId: credential.kind === 'certificate' ? credential.certificateId : undefined,
    claimBatch: asker.batch,
    clientId: asker.clientId,
    remoteAddress: asker.remoteAddress,
    group,
    steps: trace.steps,
  };
}

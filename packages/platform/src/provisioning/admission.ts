import type { Template } from './template.ts';
import { isWithin } from '../registry/group-path.ts';
import { type Refusal, refusal } from './refusal.ts';
import { hashSecret, sameHash } from '../kernel/secret.ts';

/** One who wants in: all that is known before anything is looked up. */
export interface Applicant {
  readonly template: Pick<Template, 'group' | 'manifestRequired'>;
  readonly serial: string;
  readonly deviceId: string;
  /** Of the key it will use; undefined: it is not known yet, or it has none. */
  readonly keyHash: string | undefined;
  /** True where the key hash comes later. */
  readonly keyComesLater?: boolean;
  /** What it shows as its HMAC. */
  readonly proof: string | undefined;
  /** The claim batch or token that it came with. */
  readonly batch: string | undefined;
  /** The device that it is already. */
  readonly self: string | undefined;
}

/** What the database says. */
export interface AdmissionFacts {
  readonly entry:
    | {
        readonly batch: string | null;
        readonly keyHash: string | null;
        readonly proofHash: string | null;
        readonly isUsed: boolean;
      }
    | undefined;
  readonly quarantine: 'waiting' | 'released' | 'enrolled' | 'refused' | undefined;
  /** Undefined: there is no such device. */
  readonly deviceGroup: string | undefined;
  /** Whether the device has or had a certificate, or has a token. */
  readonly hasCredential: boolean;
}

export type Admission =
  | { readonly admitted: 'first' | 'again' | 'renewal'; readonly because: string }
  | { readonly quarantine: string }
  | { readonly refused: Refusal };

/**
 * Whether one may enrol. In this order, so that nobody is told of a device what only its owner may know, and nobody comes into
 * quarantine whose entry does not even fit:
 *
 * 1. who is a device already is that device, and no other
 * 2. the serial is in the manifest, for this batch, with this key and this HMAC, as far as the entry says
 * 3. a device that is there stands in the template's part of the group tree
 * 4. the serial is new: else quarantine, unless an operator has released it
 */
export function admit(applicant: Applicant, facts: AdmissionFacts): Admission {
  const { template, deviceId, self } = applicant;
  const { entry, quarantine, deviceGroup } = facts;
  if (self !== undefined) {
    if (self !== deviceId) return refused('other-device', `the device ${self} asked to be ${deviceId}`);
    if (deviceGroup === undefined) return refused('other-device', `there is no device ${self} any more`);
    if (!isWithin(deviceGroup, template.group))
      return refused('other-device', `the device stands in ${deviceGroup}, outside of the template's group`);
    return { admitted: 'renewal', because: 'it is this device already' };
  }
  if (entry === undefined) {
    if (template.manifestRequired) return refused('not-in-manifest', 'serial not in manifest');
  } else {
    const fault = faultOfEntry(entry, applicant);
    if (fault !== undefined) return refused('manifest-mismatch', fault);
  }
  if (deviceGroup !== undefined && !isWithin(deviceGroup, template.group))
    return refused('other-device', `the device is there already, in ${deviceGroup}, outside of the template's group`);
  if (entry?.isUsed === true || facts.hasCredential) {
    if (quarantine === 'released') return { admitted: 'again', because: 'serial enrols again, released by an operator' };
    if (quarantine === 'refused') return refused('quarantined', 'serial has enrolled before, and an operator refused it');
    return { quarantine: entry?.isUsed === true ? 'serial has enrolled before' : 'the device has a credential already' };
  }
  return { admitted: 'first', because: entry === undefined ? 'no manifest is asked for' : 'serial in manifest' };
}

function faultOfEntry(
  { batch, keyHash, proofHash }: NonNullable<AdmissionFacts['entry']>,
  applicant: Applicant,
): string | undefined {
  if (batch !== null && batch !== applicant.batch) return `serial is in the manifest for the batch ${batch} alone`;
  if (keyHash !== null && applicant.keyComesLater !== true && keyHash !== applicant.keyHash)
    return 'serial is in the manifest with another public key';
  if (proofHash === null) return undefined;
  if (applicant.proof === undefined) return 'serial is in the manifest with an HMAC, and none was shown';
  return sameHash(proofHash, hashSecret(applicant.proof.toLowerCase()))
    ? undefined
    : 'serial is in the manifest with another HMAC';
}

function refused(reason: Refusal['reason'], why: string): Admission {
  return { refused: refusal(reason, why) };
}

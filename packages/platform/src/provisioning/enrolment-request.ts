import type { Database } from '../database/schema.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { AttributeValue } from '../registry/device-attributes.ts';
import type { AttemptTrace } from './attempt-trace.ts';
import type { Door } from './attempts.ts';
import type { Parameters } from './provisioning-payload.ts';
import type { Refusal } from './refusal.ts';

/** Somebody at one of the doors who wants to become a device of a template. The door has found out that they may ask at all. */
export interface EnrolmentRequest {
  readonly door: Door;
  readonly template: string;
  /** What they say of themselves. */
  readonly parameters: Parameters;
  /** What the server knows of them; it counts more than what they say. */
  readonly knownParameters?: Parameters | undefined;
  readonly credential: EnrolmentCredential;
  readonly asker: Asker;
  /** Of a device that has enrolled already: it gets another credential, and can become no other device. */
  readonly self?: DeviceId | undefined;
  /** What the door has done so far. */
  readonly trace: AttemptTrace;
  /**
   * What the door itself has to write in the transaction of the enrolment: that a token is used, that a batch has one more. It
   * comes first, after everything was found in order.
   *
   * @throws RefusedError when it finds that the device may not enrol after all: nothing of this enrolment stays then.
   */
  readonly consume?: ((transaction: Database, device: DeviceId) => Promise<void>) | undefined;
  /**
   * What the door itself has to write when the device is there: a token for it.
   * @throws RefusedError as `consume`
   */
  readonly complete?: ((transaction: Database, device: DeviceId) => Promise<void>) | undefined;
}

/** What the device will show from now on. */
export type EnrolmentCredential =
  /** A certificate that is registered and pending. It becomes active. */
  | { readonly kind: 'certificate'; readonly certificateId: string }
  /** One that is issued now, for the key of a certificate request; its proof of possession is checked. */
  | { readonly kind: 'csr'; readonly csr: string | Uint8Array }
  /** One that is issued now, with a key that is made here. */
  | { readonly kind: 'generate' }
  /** None of these: the door gives it something by itself, in `complete`. With `keyHash` (SHA-256 of the SPKI, base64url) where it has a key. */
  | { readonly kind: 'other'; readonly keyHash?: string | undefined };

export interface Asker {
  /** Of people: `claim batch march`, `token t-1`, `device d-1`. */
  readonly name: string;
  /** The claim batch or token: manifest entries may be for one alone. */
  readonly batch?: string | undefined;
  /** With what it asked, for the hook (`claimCertificateId`). */
  readonly certificateId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

export type EnrolmentResult =
  | {
      readonly outcome: 'enrolled' | 'renewed';
      readonly deviceId: DeviceId;
      readonly group: string;
      readonly configuration: Readonly<Record<string, AttributeValue>>;
      /** Where the enrolment issued one. */
      readonly certificate?: NewCertificate | undefined;
    }
  | { readonly outcome: 'refused' | 'quarantined'; readonly refusal: Refusal };

export interface NewCertificate {
  readonly certificateId: string;
  readonly certificatePem: string;
  /** The certificates between it and the root; may be empty. */
  readonly chainPem: string;
  /** Only where the key was made here. */
  readonly privateKeyPem?: string | undefined;
}

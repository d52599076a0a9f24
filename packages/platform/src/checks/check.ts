/** What is looked at, with the names that AWS IoT Device Defender has for it, in small letters. */
export const CHECKS = {
  'certificate-shared': { severity: 'critical', title: 'A certificate that several clients use at once' },
  'client-id-conflict': { severity: 'high', title: 'A client id that several clients fight for' },
  'certificate-expiring': { severity: 'medium', title: 'A device certificate that expires soon or has expired' },
  'certificate-age': { severity: 'low', title: 'A device certificate that has been in use for long' },
  'certificate-weak-key': { severity: 'critical', title: 'A device certificate with a weak key' },
  'policy-overly-permissive': { severity: 'critical', title: 'A policy that lets a device touch the topics of others' },
  'authority-expiring': { severity: 'high', title: 'A certificate authority that expires soon or has expired' },
  'authority-weak-key': { severity: 'critical', title: 'A certificate authority with a weak key' },
  'authority-revoked-in-use': { severity: 'critical', title: 'An active certificate of a revoked authority' },
  'certificate-revoked-connected': { severity: 'critical', title: 'A client that is connected with a revoked certificate' },
  'logging-off': { severity: 'medium', title: 'A server that writes no log lines' },
} as const satisfies Record<string, { readonly severity: Severity; readonly title: string }>;

export type CheckName = keyof typeof CHECKS;
export type Severity = 'critical' | 'high' | 'medium' | 'low';

export const CHECK_NAMES = Object.keys(CHECKS) as readonly CheckName[];

export interface Finding {
  readonly check: CheckName;
  readonly object: { readonly kind: 'certificate' | 'client' | 'policy' | 'authority' | 'setting'; readonly id: string };
  /** Of the device that it is about; `/` for what belongs to all. */
  readonly group: string;
  /** One sentence for people. */
  readonly reason: string;
}

/** Takes what a check finds. */
export type Find = (finding: Finding) => void;

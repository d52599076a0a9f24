/** Nothing of what it covers may be let go, erased or removed: not by age, not by an operator, not for space. */
export interface LegalHold {
  readonly id: number;
  readonly target: HoldTarget;
  /** Why: a case, a request; people read it when something is refused. */
  readonly reason: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** Undefined while it is in force. */
  readonly releasedAtMs: number | undefined;
  readonly releasedBy: string | undefined;
}

export type HoldTarget =
  | { readonly kind: 'device'; readonly device: string }
  /** And all below it. */
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'type'; readonly deviceType: string };

export interface LegalHolds {
  /** The holds in force that cover a device; empty where there are none. Also for a device that was removed. */
  heldBy(device: string): Promise<readonly LegalHold[]>;
  /** @throws SelsynError `hold.active` that names the holds, where one covers any of the devices. */
  requireFree(devices: readonly string[]): Promise<void>;
}

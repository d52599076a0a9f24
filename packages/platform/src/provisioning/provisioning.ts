import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import type { CertificateService } from '../pki/certificate-service.ts';
import { Attempts } from './attempts.ts';
import { ClaimBatches } from './claim-batches.ts';
import { Enrolment } from './enrolment.ts';
import { FleetProvisioning } from './fleet-provisioning.ts';
import { Manifest } from './manifest.ts';
import { OwnershipTokens } from './ownership-tokens.ts';
import { type AsksHook, PreProvisioningHook } from './pre-provisioning-hook.ts';
import { ProvisioningSweeper } from './provisioning-sweeper.ts';
import { Quarantine } from './quarantine.ts';
import { TemplateStore } from './template-store.ts';

export interface ProvisioningDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly trail: AuditTrail;
  readonly logLines: LogLines;
  readonly certificates: Pick<
    CertificateService,
    'sign' | 'keep' | 'activate' | 'revokeOfDevices' | 'revokeMany' | 'issueFromCsr' | 'issueWithNewKey'
  >;
  /** After the commit: what these principals (device ids, claims) may do is to be read again, and who is let in no more is cut. */
  readonly onAccessChanged: (principals: readonly string[]) => Promise<void>;
  /** By default over HTTP. */
  readonly hook?: AsksHook;
}

/** All that is needed to let devices in, put together. */
export class Provisioning implements AsyncDisposable {
  readonly templates: TemplateStore;
  readonly batches: ClaimBatches;
  readonly manifest: Manifest;
  readonly quarantine: Quarantine;
  readonly attempts: Attempts;
  /** The core, for every door. */
  readonly enrolment: Enrolment;
  /** The door of MQTT. */
  readonly fleet: FleetProvisioning;
  readonly sweeper: ProvisioningSweeper;

  constructor(dependencies: ProvisioningDependencies) {
    this.templates = new TemplateStore(dependencies);
    const { templates } = this;
    this.batches = new ClaimBatches({ ...dependencies, templates });
    this.manifest = new Manifest({ ...dependencies, templates });
    this.quarantine = new Quarantine(dependencies);
    this.attempts = new Attempts(dependencies);
    const { batches, quarantine, attempts } = this;
    const hook = dependencies.hook ?? new PreProvisioningHook(dependencies);
    this.enrolment = new Enrolment({ ...dependencies, templates, quarantine, attempts, hook });
    const ownership = new OwnershipTokens(dependencies);
    const { enrolment } = this;
    this.fleet = new FleetProvisioning({ ...dependencies, enrolment, batches, attempts, ownership });
    this.sweeper = new ProvisioningSweeper({ ...dependencies, ownership, attempts });
  }

  /** Begins to sweep. */
  start(): void {
    this.sweeper.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sweeper[Symbol.asyncDispose]();
    await this.attempts[Symbol.asyncDispose]();
  }
}

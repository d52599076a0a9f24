import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { checkAuthorities } from './authority-checks.ts';
import { checkCertificates, type CertificateRules } from './certificate-checks.ts';
import { CHECK_NAMES, type CheckName, type Find, type Finding } from './check.ts';
import { type CheckOutcome, type CheckReport, CheckReports, MAX_FINDINGS } from './check-reports.ts';
import { checkClients, type ClientFacts } from './client-checks.ts';
import { checkPolicies } from './policy-checks.ts';

export interface AuditChecksDependencies {
  readonly database: Database;
  readonly clients: ClientFacts;
  readonly rules: CertificateRules;
  /** Whether the server writes log lines. */
  readonly isLogging: boolean;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** Checks that are made in one go: where one of them cannot be, the others of the part cannot either. */
interface Part {
  readonly checks: readonly CheckName[];
  readonly run: (find: Find) => Promise<unknown>;
}

const DAY_MS = 86_400_000;
const FIRST_RUN_MS = 600_000;

/** Looks for what a careful operator would look for: once a day, and when asked to. */
export class AuditChecks implements Disposable {
  readonly reports: CheckReports;
  readonly #dependencies: AuditChecksDependencies;
  #cancel: (() => void) | undefined;
  #running = false;

  constructor(dependencies: AuditChecksDependencies) {
    this.#dependencies = dependencies;
    this.reports = new CheckReports(dependencies.database);
  }

  /** Begins to run daily, a while after the start of the server, or a day after the last report. */
  async start(): Promise<void> {
    const [last] = await this.reports.list();
    const sinceMs = last === undefined ? DAY_MS : this.#dependencies.clock.now() - last.startedAtMs;
    this.#schedule(Math.max(FIRST_RUN_MS, DAY_MS - sinceMs));
  }

  /**
   * Runs all checks. One that cannot be made is told as failed and does not keep the others.
   * @throws SelsynError `check.running` while they run already
   */
  async run(startedBy: string): Promise<CheckReport> {
    if (this.#running) throw new SelsynError('check.running', 'the checks are running already', { retryable: true });
    this.#running = true;
    try {
      return await this.#runAll(startedBy);
    } finally {
      this.#running = false;
    }
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }

  #schedule(inMs: number): void {
    this.#cancel = this.#dependencies.clock.after(inMs, () => {
      this.#schedule(DAY_MS);
      this.run('schedule').catch((error: unknown) => {
        this.#dependencies.logLines.error({ err: error }, 'the daily audit checks could not be made');
      });
    });
  }

  async #runAll(startedBy: string): Promise<CheckReport> {
    const { clock } = this.#dependencies;
    const startedAtMs = clock.now();
    const kept: Finding[] = [];
    const counts = new Map<CheckName, number>();
    const failures = new Map<CheckName, string>();
    for (const { checks, run } of this.#parts(startedAtMs)) {
      try {
        await run((finding) => {
          const count = (counts.get(finding.check) ?? 0) + 1;
          counts.set(finding.check, count);
          if (count <= MAX_FINDINGS) kept.push(finding);
        });
      } catch (error) {
        this.#dependencies.logLines.error({ err: error, checks }, 'an audit check could not be made');
        for (const check of checks) failures.set(check, error instanceof Error ? error.message : String(error));
      }
    }
    const outcomes = CHECK_NAMES.map((check): CheckOutcome => {
      const error = failures.get(check);
      const findings = counts.get(check) ?? 0;
      if (error !== undefined) return { check, status: 'failed', findings, error };
      return { check, status: findings === 0 ? 'compliant' : 'non-compliant', findings };
    });
    const report = { startedAtMs, finishedAtMs: clock.now(), startedBy, outcomes };
    return { id: await this.reports.add(report, kept), ...report };
  }

  #parts(nowMs: number): readonly Part[] {
    const { database, clients, rules, isLogging } = this.#dependencies;
    return [
      {
        checks: ['certificate-shared', 'certificate-revoked-connected', 'client-id-conflict'],
        run: async (find) => await checkClients(database, clients, find),
      },
      {
        checks: ['certificate-expiring', 'certificate-age', 'certificate-weak-key', 'authority-revoked-in-use'],
        run: async (find) => await checkCertificates(database, { ...rules, nowMs }, find),
      },
      {
        checks: ['authority-expiring', 'authority-weak-key'],
        run: async (find) => await checkAuthorities(database, { ...rules, nowMs }, find),
      },
      { checks: ['policy-overly-permissive'], run: async (find) => await checkPolicies(database, find) },
      {
        checks: ['logging-off'],
        run: async (find) => {
          const reason = 'logLevel is silent: nobody will know what went wrong';
          if (!isLogging) find({ check: 'logging-off', object: { kind: 'setting', id: 'logLevel' }, group: '/', reason });
        },
      },
    ];
  }
}

import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatTable } from '../table.ts';

interface Outcome {
  readonly check: string;
  readonly title: string;
  readonly severity: string;
  readonly status: string;
  readonly findings: number;
  readonly error?: string;
}

interface Report {
  readonly id: number;
  readonly startedAtMs: number;
  readonly startedBy: string;
  readonly outcomes: readonly Outcome[];
}

interface ReportDetail extends Report {
  readonly items: readonly {
    readonly check: string;
    readonly severity: string;
    readonly object: { readonly kind: string; readonly id: string };
    readonly group: string;
    readonly reason: string;
  }[];
}

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn checks run|list|show` */
export function addCheckCommands(program: Command): void {
  const checks = program.command('checks').description('audit checks: shared or weak certificates, wide policies, and others');

  checks
    .command('run')
    .description('run all checks now and print what they found')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const api = new ApiClient(findServer(options));
      const { id } = await api.post<Report>('/checks/reports');
      show(await api.get<ReportDetail>(`/checks/reports/${id}`), options);
    });

  checks
    .command('list')
    .description('list the reports of the last month')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { items } = await new ApiClient(findServer(options)).get<{ items: readonly Report[] }>('/checks/reports');
      if (options.json === true) for (const item of items) print(JSON.stringify(item));
      else
        print(
          items.length === 0
            ? 'no report yet; make one with: selsyn checks run'
            : formatTable(
                ['report', 'started', 'by', 'findings'],
                items.map(({ id, startedAtMs, startedBy, outcomes }) => [
                  String(id),
                  new Date(startedAtMs).toISOString(),
                  printable(startedBy),
                  String(outcomes.reduce((sum, { findings }) => sum + findings, 0)),
                ]),
              ),
        );
    });

  checks
    .command('show <report>')
    .description('show a report and what was found')
    .option('--json', 'print JSON')
    .action(async (report: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const api = new ApiClient(findServer(options));
      show(await api.get<ReportDetail>(`/checks/reports/${encodeURIComponent(report)}`), options);
    });
}

function show(report: ReportDetail, { json }: Options): void {
  if (json === true) return print(JSON.stringify(report));
  print(`report ${report.id} of ${new Date(report.startedAtMs).toISOString()}, by ${printable(report.startedBy)}\n`);
  print(
    formatTable(
      ['check', 'severity', 'outcome', 'findings'],
      report.outcomes.map(({ check, severity, status, findings, error }) => [
        check,
        severity,
        error === undefined ? status : `${status}: ${error}`,
        String(findings),
      ]),
    ),
  );
  for (const { check, severity, object, group, reason } of report.items)
    print(`\n${severity}  ${check}  ${object.kind} ${printable(object.id)}  in ${group}\n  ${printable(reason)}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { CHECK_NAMES, CHECKS, type CheckName } from '../checks/check.ts';
import type { CheckReport } from '../checks/check-reports.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const checkName = z.enum(CHECK_NAMES as [CheckName, ...CheckName[]]);
const severity = z.enum(['critical', 'high', 'medium', 'low']);

const reportSchema = z
  .object({
    id: z.number(),
    startedAtMs: z.number(),
    finishedAtMs: z.number(),
    startedBy: z.string().describe('`schedule`, or who asked for it.'),
    outcomes: z.array(
      z.object({
        check: checkName,
        title: z.string(),
        severity,
        status: z.enum(['compliant', 'non-compliant', 'failed']),
        findings: z.number().describe('In all groups; of each check 1,000 are kept.'),
        error: z.string().optional().describe('Why it failed.'),
      }),
    ),
  })
  .describe('What all checks came to.');

const findingSchema = z.object({
  check: checkName,
  severity,
  object: z.object({ kind: z.string(), id: z.string() }),
  group: z.string(),
  reason: z.string().describe('For people.'),
});

const detailSchema = reportSchema
  .extend({ items: z.array(findingSchema).describe('What was found in the groups that the caller sees.') })
  .describe('A report with what was found.');

/** The audit checks: run daily, and here. */
export function checkRoutes({ checks }: Pick<ApiDependencies, 'checks'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/checks/reports',
      {
        config: { permission: 'checks:write', everything: true },
        schema: {
          operationId: 'runChecks',
          summary: 'Run the audit checks now',
          tags: ['access'],
          response: { 201: reportSchema, ...problems('check.running', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        const report = await checks.run(access(request).actor.name);
        return reply.code(201).send(shown(report));
      },
    );

    app.get(
      '/checks/reports',
      {
        config: { permission: 'checks:read' },
        schema: {
          operationId: 'listCheckReports',
          summary: 'List the reports of the audit checks',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(reportSchema) }).describe('Newest first, of the last month.'),
            ...problems(),
          },
        },
      },
      async () => ({ items: (await checks.reports.list()).map(shown) }),
    );

    app.get(
      '/checks/reports/:id',
      {
        config: { permission: 'checks:read' },
        schema: {
          operationId: 'getCheckReport',
          summary: 'Show a report of the audit checks and what was found',
          tags: ['access'],
          params: z.object({
            id: z
              .string()
              .regex(/^\d{1,15}$/, 'must be a whole number')
              .describe('The number of the report.'),
          }),
          querystring: z.strictObject({}),
          response: { 200: detailSchema, ...problems('check-report.not-found') },
        },
      },
      async (request) => {
        const report = await checks.reports.get(Number(request.params.id));
        const items = await checks.reports.findings(report.id, access(request).scope);
        return { ...shown(report), items: items.map(({ object, ...finding }) => ({ ...finding, object: { ...object } })) };
      },
    );
  };
}

function shown({ outcomes, ...report }: CheckReport): z.infer<typeof reportSchema> {
  return { ...report, outcomes: outcomes.map((outcome) => ({ ...outcome, ...CHECKS[outcome.check] })) };
}

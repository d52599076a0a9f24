import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { POLICY_ACTIONS } from '../identity/policies/policy-document.ts';
import { MAX_POLICY_DESCRIPTION, POLICY_NAME, TARGET_KINDS, type Policy } from '../identity/policies/policy-store.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { deviceParams } from './parameters.ts';
import { problems } from './route-responses.ts';

const statementSchema = z
  .strictObject({
    effect: z.enum(['allow', 'deny']),
    actions: z.array(z.enum(POLICY_ACTIONS as [string, ...string[]])).min(1),
    topics: z.array(z.string()).optional().describe('Topic filters with variables as `${device.id}`; not for `connect`.'),
    clients: z.array(z.string()).optional().describe('Client ids with variables and `*`, for `connect`; absent: any.'),
  })
  .describe('What is allowed or denied.');

const documentSchema = z
  .strictObject({ statements: z.array(statementSchema) })
  .describe('What no statement allows is denied, and a deny outweighs every allow.');

const policySchema = z
  .object({
    name: z.string(),
    description: z.string(),
    document: documentSchema,
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('A policy: which topics devices may use.');

const targetSchema = z
  .strictObject({
    kind: z.enum(TARGET_KINDS).describe('What has the policy.'),
    id: z.string().min(1).max(512).describe('The path of a group, the name of a type, a device id, or the id of a certificate.'),
  })
  .describe('Whoever this is, or stands in it, has the policy.');

const params = z.object({
  name: z.string().min(1).max(128).meta({ description: 'The name of the policy.', pattern: POLICY_NAME.source }),
});

const explanationSchema = z
  .object({
    allowed: z.boolean(),
    reason: z.string().describe('For people.'),
    device: z.object({ id: z.string(), type: z.string().optional(), group: z.string() }),
    policies: z.array(z.object({ name: z.string(), by: targetSchema })).describe('All that it has, the widest first.'),
    decidedBy: z
      .object({
        policy: z.string(),
        statement: z.number().describe('From 0.'),
        effect: z.enum(['allow', 'deny']),
        pattern: z.string().describe('As it stands in the policy.'),
        expanded: z.string().optional().describe('With the values of its variables.'),
      })
      .optional()
      .describe('Absent: no statement says anything, so that it is denied.'),
    variables: z.record(z.string(), z.string().nullable()).describe('Null: it has none, or one that may not stand in a topic.'),
  })
  .describe('Why a device may do something, or may not.');

/**
 * Policies, what they are attached to, and why a device may do what it may. They say what may be done in the topics of all groups, so that
 * only those change or attach them who may at the root.
 */
export function policyRoutes({
  policies,
  explainer,
  devices,
}: Pick<ApiDependencies, 'policies' | 'explainer' | 'devices'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/policies',
      {
        config: { permission: 'policies:read' },
        schema: {
          operationId: 'listPolicies',
          summary: 'List policies',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(policySchema) }).describe('By name.'), ...problems() },
        },
      },
      async () => ({ items: (await policies.list()).map(shown) }),
    );

    app.get(
      '/policies/:name',
      {
        config: { permission: 'policies:read' },
        schema: {
          operationId: 'getPolicy',
          summary: 'Show a policy',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: { 200: policySchema, ...problems('policy.not-found') },
        },
      },
      async (request) => shown(await policies.get(request.params.name)),
    );

    app.put(
      '/policies/:name',
      {
        config: { permission: 'policies:write', everything: true },
        schema: {
          operationId: 'putPolicy',
          summary: 'Make a policy, or change it for all that have it',
          description: 'Connected devices heed it within a second.',
          tags: ['access'],
          params,
          body: z.strictObject({
            description: z.string().max(MAX_POLICY_DESCRIPTION).default(''),
            document: documentSchema,
          }),
          response: {
            200: policySchema,
            201: policySchema.describe('It is new.'),
            ...problems('request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        const isNew = await policies.put({ name, ...request.body }, access(request).actor);
        return reply.code(isNew ? 201 : 200).send(shown(await policies.get(name)));
      },
    );

    app.delete(
      '/policies/:name',
      {
        config: { permission: 'policies:write', everything: true },
        schema: {
          operationId: 'removePolicy',
          summary: 'Remove a policy from all that have it',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('policy.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await policies.remove(request.params.name, access(request).actor);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/policies/:name/targets',
      {
        config: { permission: 'policies:read', everything: true },
        schema: {
          operationId: 'listPolicyTargets',
          summary: 'List what a policy is attached to',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(targetSchema) }).describe('At most 1,000.'),
            ...problems('policy.not-found'),
          },
        },
      },
      async (request) => ({ items: [...(await policies.targetsOf(request.params.name))] }),
    );

    app.post(
      '/policies/:name/targets',
      {
        config: { permission: 'policies:write', everything: true },
        schema: {
          operationId: 'attachPolicy',
          summary: 'Attach a policy to a group, a type, a device or a certificate',
          tags: ['access'],
          params,
          body: targetSchema,
          response: {
            204: z.null().describe('Attached.'),
            ...problems('policy.not-found', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        await policies.attach(request.params.name, request.body, access(request).actor);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/policies/:name/targets',
      {
        config: { permission: 'policies:write', everything: true },
        schema: {
          operationId: 'detachPolicy',
          summary: 'Detach a policy',
          tags: ['access'],
          params,
          querystring: targetSchema,
          response: { 204: z.null().describe('Detached.'), ...problems('policy.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await policies.detach(request.params.name, request.query, access(request).actor);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/devices/:id/access',
      {
        config: { permission: 'policies:read' },
        schema: {
          operationId: 'explainAccess',
          summary: 'Tell why a device may do something, or may not',
          tags: ['access'],
          params: deviceParams,
          querystring: z.strictObject({
            action: z.enum(POLICY_ACTIONS as [string, ...string[]]).describe('What it wants to do.'),
            subject: z.string().max(65_535).describe('A topic; for `subscribe` a filter; for `connect` a client id.'),
            clientId: z.string().max(1024).optional().describe('With which it connects; by default its own id.'),
            certificateId: z
              .string()
              .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
              .optional()
              .describe('The certificate that it shows.'),
          }),
          response: { 200: explanationSchema, ...problems('device.invalid-id', 'device.not-found') },
        },
      },
      async (request) => {
        const device = parseDeviceId(request.params.id);
        await devices.ensureKnown(device, access(request).scope);
        const { action, ...question } = request.query;
        const known = POLICY_ACTIONS.find((each) => each === action) ?? 'publish';
        const answer = await explainer.explain({ device, action: known, ...question });
        return { ...answer, policies: [...answer.policies], variables: { ...answer.variables } };
      },
    );
  };
}

function shown({ document, ...policy }: Policy): z.infer<typeof policySchema> {
  const statements = document.statements.map(({ actions, topics, clients, ...statement }) => ({
    ...statement,
    actions: [...actions],
    ...(topics !== undefined && { topics: [...topics] }),
    ...(clients !== undefined && { clients: [...clients] }),
  }));
  return { ...policy, document: { statements } };
}

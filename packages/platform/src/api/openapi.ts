import swagger from '@fastify/swagger';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

/** Collects the description of every route that is added after this: `app.swagger()` gives it once the app is ready. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Selsyn',
        version,
        description:
          'Devices, their telemetry and the server. Times are ms since 1970 UTC. Every error is a problem document (RFC 9457) whose ' +
          '`code` tells a program what happened.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: [
        { name: 'devices', description: 'Adding, finding and removing devices.' },
        { name: 'telemetry', description: 'What devices sent.' },
        { name: 'storage', description: 'What is kept of telemetry and where, for how long, and how it is erased.' },
        { name: 'shadows', description: 'What devices are to be, and what they say they are.' },
        { name: 'commands', description: 'Requests to devices, with an answer.' },
        { name: 'jobs', description: 'Work for many devices.' },
        {
          name: 'certificates',
          description: 'Certificates of devices, the authorities that sign them, and what has been revoked.',
        },
        { name: 'provisioning', description: 'How devices enrol: templates, claim batches, manifests, and what came of them.' },
        { name: 'graphql', description: 'All of it by one question.' },
        { name: 'clients', description: 'MQTT clients: who is connected, who is not and why, and what they send.' },
        { name: 'server', description: 'The server itself.' },
        { name: 'access', description: 'People, sessions, roles and keys of this API, and what they changed.' },
      ],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description:
              'The administrator’s key, an API key, or the token of a session. Browsers send the cookie of a session instead.',
          },
        },
      },
      security: [{ key: [] }],
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      return { schema: { ...schema, ...permissionOf(route.route) }, url };
    },
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
  });
}

/** What a caller must have, for people and for tests that try every route: see docs/guides/people-and-access.md. */
function permissionOf({ config }: RouteOptions): Readonly<Record<`x-${string}`, string>> {
  if (config?.permission === undefined) return {};
  return { 'x-permission': config.permission, 'x-permission-at': config.everything === true ? '/' : 'group' };
}

/** A schema with an id is described twice, as what is sent and as what is read: only what something refers to stays. */
function withoutUnused<D extends ReturnType<typeof jsonSchemaTransformObject>>(document: D): D {
  const text = JSON.stringify(document);
  const schemas = 'components' in document ? document.components?.schemas : undefined;
  for (const name of Object.keys(schemas ?? {})) {
    if (!text.includes(`"#/components/schemas/${name}"`)) Reflect.deleteProperty(schemas ?? {}, name);
  }
  return document;
}

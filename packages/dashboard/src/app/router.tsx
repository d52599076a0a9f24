import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { DevicesPage } from '../devices/devices-page.tsx';
import { parseRangeSearch, type RangeSearch } from '../device/time-range.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { NotFound } from './not-found.tsx';
import { Shell } from './shell.tsx';

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const devicesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  component: DevicesPage,
  validateSearch: (search): { readonly q?: string } =>
    typeof search['q'] === 'string' || typeof search['q'] === 'number' ? { q: String(search['q']) } : {},
});

/** The charts come with the first device page, not with the first page. */
const deviceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/devices/$deviceId',
  component: lazyRouteComponent(() => import('../device/device-page.tsx'), 'DevicePage'),
  validateSearch: (search): DeviceSearch => {
    const metrics = search['metrics'];
    const range = parseRangeSearch(search);
    return Array.isArray(metrics) ? { ...range, metrics: metrics.map(String) } : range;
  },
});

const serverRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/server',
  component: lazyRouteComponent(() => import('../server/server-page.tsx'), 'ServerPage'),
});

export interface DeviceSearch extends RangeSearch {
  /** The metrics with a chart; absent: the first ones. */
  readonly metrics?: readonly string[];
}

export const router = createRouter({
  routeTree: rootRoute.addChildren([devicesRoute, deviceRoute, serverRoute]),
  defaultPreload: 'intent',
  defaultErrorComponent: ({ error, reset }) => <ProblemNotice error={error} onRetry={reset} />,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

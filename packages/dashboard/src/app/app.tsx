import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { SignIn } from '../session/sign-in.tsx';
import { WhoGate } from '../session/who-gate.tsx';
import { colorSchemeManager, mantineTheme } from '../theme/mantine-theme.ts';
import { router } from './router.tsx';
import { ServicesContext, type Services } from './services.ts';

/** The page: sign-in, or the routes for whoever is signed in. */
export function App({ services }: { readonly services: Services }) {
  const { session, queries } = services;
  const state = useSyncExternalStore(session.subscribe, session.state);
  return (
    <MantineProvider theme={mantineTheme} colorSchemeManager={colorSchemeManager} defaultColorScheme="auto">
      <ServicesContext value={services}>
        <QueryClientProvider client={queries}>
          {state.kind === 'signed-in' && (
            <WhoGate>
              <RouterProvider router={router} />
            </WhoGate>
          )}
          {state.kind === 'signed-out' && <SignIn reason={state.reason} />}
        </QueryClientProvider>
      </ServicesContext>
    </MantineProvider>
  );
}

//! Conformance: what an application's page does with flags. Bundled and run in a real browser; it
//! uses the official OpenFeature web SDK and OFREP web provider as they are.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

/** Connects and reports every value of `flag`, with the time at which the page knew it. */
window.connect = async ({ baseUrl, key, user, flag, report }) => {
  await OpenFeature.setContext({ targetingKey: user });
  const client = OpenFeature.getClient();
  const tell = () => window[report](client.getBooleanDetails(flag, false), Date.now());
  OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, tell);
  await OpenFeature.setProviderAndWait(
    new OFREPWebProvider({ baseUrl, headers: [['Authorization', `Bearer ${key}`]] }),
  );
  tell();
};

/** Every flag that the provider holds for another user. */
window.become = async (user, flags) => {
  await OpenFeature.setContext({ targetingKey: user });
  const client = OpenFeature.getClient();
  return flags.map((flag) => client.getStringDetails(flag, 'none'));
};

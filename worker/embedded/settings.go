package embedded

import (
	"net/netip"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
)

const (
	mainStore       = "main"
	visibilityStore = "visibility"

	// ackInterval is how often the queues note how far they are. The default of 30 s makes a killed server read
	// thousands of done tasks again: recovery with 2,000 open conversations took 4.7 s with it, 2.4 s with 5 s.
	ackInterval = 5 * time.Second

	// unlimited is a rate, per second, that one machine does not reach: the server's ceilings are made for clusters
	// of many tenants, and here they would only turn a burst into errors.
	unlimited = 100_000

	// timerShift is how far ahead the server reads its timers. One that is set within that time is put off to its end:
	// by the default of 1 s, a clock that was due soon after another had fired was up to a second late. With 200 ms it
	// reads so often that 150 clocks/s are late by p99 200 ms, instead of 80 with 300 ms and with 1 s.
	timerShift = 300 * time.Millisecond

	// bufferedQueries is how many questions wait for a workflow's task under way, and are answered with it.
	bufferedQueries = 100
)

// serverConfig is the static configuration: four services in one process, one history shard (its number is fixed for
// the life of the files), no metrics listener, no pprof, no HTTP API, no archival.
func serverConfig(files stores, taken *ports) *config.Config {
	frontend := dialable(taken.frontend).String()
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: loopback().String()},
		},
		Persistence: config.Persistence{
			DefaultStore:     mainStore,
			VisibilityStore:  visibilityStore,
			NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{
				mainStore:       {SQL: files.main},
				visibilityStore: {SQL: files.visibility},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(taken.frontend),
			string(primitives.HistoryService):  service(taken.history),
			string(primitives.MatchingService): service(taken.matching),
			string(primitives.WorkerService):   service(workerAddr()),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{
			Archival: config.ArchivalNamespaceDefaults{
				History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
				Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			},
		},
		// The worker service connects to the frontend here; left out, the server panics.
		PublicClient: config.PublicClient{HostPort: frontend},
	}
}

func service(addr netip.AddrPort) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: int(addr.Port()), BindOnIP: addr.Addr().String()}}
}

// staticHosts replaces gossip: with it, a restart on existing files finds the addresses of the last run and waits for
// hosts that are gone.
func staticHosts(taken *ports) map[primitives.ServiceName]static.Hosts {
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(dialable(taken.frontend).String()),
		primitives.HistoryService:  static.SingleLocalHost(taken.history.String()),
		primitives.MatchingService: static.SingleLocalHost(taken.matching.String()),
		primitives.WorkerService:   static.SingleLocalHost(workerAddr().String()),
	}
}

// dynamicSettings uses the typed keys only: a key that is spelled wrong is silently ignored.
func dynamicSettings(cfg *Config) dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():            cfg.HistoryCache,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.WorkflowTimeSkippingEnabled.Key():             cfg.TimeSkipping,
		dynamicconfig.TransferProcessorUpdateAckInterval.Key():      ackInterval,
		dynamicconfig.TimerProcessorUpdateAckInterval.Key():         ackInterval,
		dynamicconfig.VisibilityProcessorUpdateAckInterval.Key():    ackInterval,
		dynamicconfig.TimerProcessorMaxTimeShift.Key():              timerShift,

		// One host needs no partitions; with the default of four, tasks and pollers look for each other.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,

		// By default a second question to a workflow that has a task to do is put off as if the server were overloaded, and
		// a client then comes back after seconds: a desk that drains, whom everybody asks, would hardly ever answer.
		dynamicconfig.MaxBufferedQueryCount.Key(): bufferedQueries,

		// By default the server has a run wait that follows another within a second of that one's start: a visitor who
		// ends and asks again would be answered without a place in the line.
		dynamicconfig.WorkflowIdReuseMinimalInterval.Key(): time.Duration(0),

		// The server would ask its maker for newer versions, once a day and with facts about this installation.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
}

// dialable is the address to connect to: a wildcard is something to listen on only.
func dialable(addr netip.AddrPort) netip.AddrPort {
	switch {
	case !addr.Addr().IsUnspecified():
		return addr
	case addr.Addr().Is4():
		return netip.AddrPortFrom(loopback(), addr.Port())
	default:
		return netip.AddrPortFrom(netip.IPv6Loopback(), addr.Port())
	}
}

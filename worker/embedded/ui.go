package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/cors"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
)

// uiStopTimeout is how long the UI may finish the requests under way.
const uiStopTimeout = time.Second

// webUI serves Temporal's own Web UI. It is put together from the UI server's routes instead of by its NewServer,
// whose Start ends the process when it cannot listen, and which answers to any Host, so that a web page could reach it
// by pointing a name of its own at 127.0.0.1.
type webUI struct {
	server *http.Server
	addr   string
	done   chan struct{}
}

// startUI serves on listener until stop.
func startUI(listener net.Listener, frontend, namespace string, log *slog.Logger) (*webUI, error) {
	handler, err := uiHandler(frontend, namespace, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("temporal UI: %w", err), listener.Close())
	}
	web := &webUI{
		server: &http.Server{
			Handler:           loopbackOnly(handler),
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		addr: listener.Addr().String(),
		done: make(chan struct{}),
	}
	go func() {
		defer close(web.done)
		if err := web.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("temporal UI stopped serving", slog.Any("error", err))
		}
	}()
	return web, nil
}

// uiHandler does what ui-server v2.55.0 does in server.NewServer, without sign-in, TLS and a public path.
func uiHandler(frontend, namespace string, log *slog.Logger) (http.Handler, error) {
	provider, err := uiconfig.NewConfigProviderWithRefresh(&uiconfig.Config{
		TemporalGRPCAddress: frontend,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
	})
	if err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	router := echo.New()
	router.HideBanner, router.HidePort = true, true
	router.Logger.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelWarn).Writer())
	router.Use(
		middleware.Recover(),
		middleware.Gzip(),
		cors.CORSMiddleware(cors.CORSConfig{ConfigProvider: provider}),
		middleware.Secure(),
		csrf.EnsureTokenCookie(false),
		middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)),
	)
	route.SetHealthRoute(router)
	if err := route.SetAPIRoutes(router, provider, nil); err != nil {
		return nil, fmt.Errorf("set up the API: %w", err)
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	if err := route.SetUIRoutes(router, "", assets, provider); err != nil {
		return nil, fmt.Errorf("set up the pages: %w", err)
	}
	route.SetRenderRoute(router, "/")
	return router, nil
}

// loopbackOnly refuses requests whose Host is not this machine by its loopback name or address.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopbackHost(r.Host) {
			http.Error(w, "the Temporal UI answers on this machine only: use localhost or 127.0.0.1", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// stop lets requests under way finish for a moment, then cuts them off.
func (w *webUI) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, uiStopTimeout)
	defer cancel()
	err := w.server.Shutdown(ctx)
	if err != nil {
		err = w.server.Close()
	}
	<-w.done
	if err != nil {
		return fmt.Errorf("stop the temporal UI: %w", err)
	}
	return nil
}
